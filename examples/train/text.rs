//! Reads text files. Plays are converted to lines of speech after `NAME:`.

use std::path::Path;

use super::Result;

/// One file's text, under its name without folder and extension.
pub struct Document {
    pub name: String,
    pub text: String,
}

/// Reads a file and converts it to training text.
pub fn read(path: &Path) -> Result<Document> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("cannot read {}: {error}; expected a file of UTF-8 text", path.display())
    })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Document { name, text: normalize(&text) })
}

/// Converts a play to dialogue, and returns any other text unchanged.
///
/// A play has a line `DRAMATIS PERSONAE`. Its form is: speaker, tab, line of speech; further lines of
/// the speech after a tab; stage directions in brackets, over one or more lines; headings of
/// acts and scenes. The result has for each speech the line `NAME:`, its lines, and an empty line.
/// Text before the first act, headings, running titles and stage directions are removed.
pub fn normalize(text: &str) -> String {
    if !text.lines().any(|line| line.trim().starts_with("DRAMATIS PERSON")) {
        return text.to_string();
    }
    let mut play = Play { title: first_line(text), ..Play::default() };
    without_directions(text)
        .lines()
        .skip_while(|line| !opens_a_play(line))
        .for_each(|line| play.take(line));
    play.finish_speech();
    play.dialogue
}

#[derive(Default)]
struct Play {
    title: String,
    dialogue: String,
    speaker: String,
    speech: String,
    /// The first line of a name that goes on in the next one: `ANTIPHOLUS`, `OF SYRACUSE`.
    name_so_far: String,
    in_heading: bool,
}

impl Play {
    fn take(&mut self, line: &str) {
        let line = line.replace('|', " "); // braces of speakers who talk at once
        if line.trim().is_empty() {
            self.in_heading = false;
        } else if is_heading(&line) {
            self.in_heading = true;
        } else if !self.in_heading && line.trim() != self.title {
            self.take_dialogue(&line);
        }
    }

    fn take_dialogue(&mut self, line: &str) {
        match line.split_once('\t') {
            Some(("", speech)) => self.add_line(speech),
            Some((name, speech)) => {
                self.finish_speech();
                self.speaker =
                    join_words(&format!("{} {name}", std::mem::take(&mut self.name_so_far)));
                self.add_line(speech);
            }
            None if is_name(line) => self.name_so_far = line.to_string(),
            None => self.add_line(line),
        }
    }

    fn add_line(&mut self, line: &str) {
        let line = join_words(line);
        if !line.is_empty() {
            self.speech += &line;
            self.speech.push('\n');
        }
    }

    fn finish_speech(&mut self) {
        let speech = std::mem::take(&mut self.speech);
        if !speech.is_empty() && !self.speaker.is_empty() {
            self.dialogue += &format!("{}:\n{speech}\n", self.speaker.trim_end_matches(':'));
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_string()
}

fn join_words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

fn opens_a_play(line: &str) -> bool {
    line.starts_with("ACT ") || matches!(line.trim(), "PROLOGUE" | "THE PROLOGUE" | "INDUCTION")
}

fn is_heading(line: &str) -> bool {
    (!line.starts_with('\t') && matches!(first_word(line), "ACT" | "SCENE"))
        || matches!(line.trim(), "PROLOGUE" | "THE PROLOGUE" | "INDUCTION" | "EPILOGUE" | "CHORUS")
}

fn is_name(line: &str) -> bool {
    line.chars().all(|c| c.is_uppercase() || " .,'".contains(c))
}

/// Removes `[…]`. A bracket that is never closed ends with its paragraph.
fn without_directions(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            '\n' => {
                inside &= rest.peek() != Some(&'\n');
                kept.push('\n');
            }
            c if !inside => kept.push(c),
            _ => {}
        }
    }
    kept
}
