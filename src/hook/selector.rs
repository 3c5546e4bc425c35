//! Selects hook points by name, glob or regular expression.

use std::collections::{BTreeSet, HashMap};

use super::point::{Absence, HookPoint, check_length, outer_point, parse_block_point};
use crate::checkpoint::Config;
use crate::error::{Error, Result, shortened};
use crate::nearest::nearest;

/// A set of hook points, given by an exact name, a short name, a glob with `*` and `?`, or a regular
/// expression between slashes, which may be followed by the flags `i`, `m` and `s`.
///
/// A short name such as `pattern`, `resid_post` or `ln1.scale` selects the point in every layer.
///
/// A glob selects a point *on request* only if it names the point: `blocks.*.attn.hook_result`
/// does, `blocks.0.*` and `*` do not, unless nothing else matches (`blocks.*.hook_?_input`). An
/// exact name or a regular expression selects everything that it matches.
///
/// ```
/// use candlescope::{Config, HookPoint, Selector};
/// let config = Config { n_layer: 2, ..Config::default() };
/// let points = Selector::parse("blocks.*.attn.hook_pattern", &config)?.points().to_vec();
/// assert_eq!(points[1].to_string(), "blocks.1.attn.hook_pattern");
/// assert!(Selector::parse("blocks.0.attn.hook_patern", &config).is_err());
/// # Ok::<(), candlescope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    points: Vec<HookPoint>,
}

impl Selector {
    /// Resolves `pattern` against the points of a model of this shape.
    ///
    /// # Errors
    /// [`Error::Hook`] with the nearest names if nothing matches, or if a regular expression is
    /// malformed.
    pub fn parse(pattern: &str, config: &Config) -> Result<Selector> {
        Ok(Selector { points: Selectors::new(config).parse(pattern)?.to_vec() })
    }

    /// The points that the pattern matched, in firing order. Never empty.
    pub fn points(&self) -> &[HookPoint] {
        &self.points
    }
}

/// Resolves patterns against one model, each only once.
pub(crate) struct Selectors<'c> {
    config: &'c Config,
    /// Every point with its name, once a pattern has needed them.
    all: Vec<(HookPoint, String)>,
    known: HashMap<String, Vec<HookPoint>>,
}

impl<'c> Selectors<'c> {
    pub(crate) fn new(config: &'c Config) -> Selectors<'c> {
        Selectors { config, all: Vec::new(), known: HashMap::new() }
    }

    /// # Errors
    /// As [`Selector::parse`].
    pub(crate) fn parse(&mut self, pattern: &str) -> Result<&[HookPoint]> {
        if !self.known.contains_key(pattern) {
            let points = self.resolve(pattern)?;
            self.known.insert(pattern.to_string(), points);
        }
        Ok(&self.known[pattern])
    }

    /// The points that any of the patterns selects, in firing order.
    ///
    /// # Errors
    /// As [`Selector::parse`]: each must match something.
    pub(crate) fn union(&mut self, patterns: &[String]) -> Result<Vec<HookPoint>> {
        let mut points = BTreeSet::new();
        for pattern in patterns {
            points.extend(self.parse(pattern)?.iter().copied());
        }
        Ok(points.into_iter().collect())
    }

    fn resolve(&mut self, pattern: &str) -> Result<Vec<HookPoint>> {
        check_length(pattern)?;
        if let Some(point) = outer_point(pattern).or_else(|| parse_block_point(pattern)) {
            return match point.absence(self.config) {
                None => Ok(vec![point]),
                Some(Absence::Layer) => Err(nothing_matches(pattern, self.config)),
                Some(absence) => Err(absent(pattern, point, absence, self.config)),
            };
        }
        let matches: Box<dyn Fn(&str) -> bool> = match regular_expression(pattern) {
            Some((expression, flags)) => {
                let expression = compile(expression, flags, pattern)?;
                Box::new(move |name| expression.is_match(name))
            }
            None if pattern.contains(['*', '?']) => {
                Box::new(|name| glob_matches(pattern.as_bytes(), name.as_bytes()))
            }
            None => return self.with_short_name(pattern),
        };
        let mut points = self.matching(&matches);
        if regular_expression(pattern).is_none() {
            points = without_points_on_request(pattern, points);
        }
        if !points.is_empty() {
            return Ok(points);
        }
        // A point that other members of the family have.
        let elsewhere = HookPoint::of_family(self.config.n_layer).into_iter();
        let missed = elsewhere.filter(|point| matches(&point.to_string()));
        Err(match missed.filter_map(|point| Some((point, point.absence(self.config)?))).next() {
            Some((point, absence)) => absent(pattern, point, absence, self.config),
            None => nothing_matches(pattern, self.config),
        })
    }

    /// The points that a short name such as `pattern` or `ln1.scale` means, in all layers.
    fn with_short_name(&mut self, short: &str) -> Result<Vec<HookPoint>> {
        let points = self.matching(&|name| {
            let long = long_form(name);
            long == short || long.rsplit('.').next() == Some(short)
        });
        let kinds: Vec<String> = points.iter().map(|point| long_form(&point.to_string())).collect();
        match kinds.first() {
            None => Err(nothing_matches(short, self.config)),
            Some(first) if kinds.iter().all(|kind| kind == first) => Ok(points),
            Some(_) => {
                let kinds: BTreeSet<String> =
                    kinds.into_iter().map(|kind| format!("`{kind}`")).collect();
                let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
                Err(Error::Hook(format!("`{short}` fits several hook points: {kinds}")))
            }
        }
    }

    fn matching(&mut self, matches: &dyn Fn(&str) -> bool) -> Vec<HookPoint> {
        if self.all.is_empty() {
            self.all = HookPoint::all(self.config)
                .into_iter()
                .map(|point| (point, point.to_string()))
                .collect();
        }
        self.all.iter().filter(|(_, name)| matches(name)).map(|(point, _)| *point).collect()
    }
}

/// Limits the time of a match, which grows with the compiled size: a counted repetition makes a
/// short pattern large.
const MAX_EXPRESSION_SIZE: usize = 1 << 17;

fn compile(expression: &str, flags: &str, pattern: &str) -> Result<regex_lite::Regex> {
    if let Some(flag) = flags.chars().find(|flag| !FLAGS.contains(*flag)) {
        let pattern = shortened(pattern);
        return Err(Error::Hook(format!(
            "`{pattern}` has the flag {flag}, expected i, m, s, g or u"
        )));
    }
    let built = regex_lite::RegexBuilder::new(expression)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .size_limit(MAX_EXPRESSION_SIZE)
        .build();
    built.map_err(|error| {
        Error::Hook(format!("`{}` is not a regular expression: {error}", shortened(pattern)))
    })
}

/// `g` and `u`, which JavaScript writes, change nothing for names.
const FLAGS: &str = "imsgu";

/// The expression and the flags of `/expression/flags`.
fn regular_expression(pattern: &str) -> Option<(&str, &str)> {
    let (expression, flags) = pattern.strip_prefix('/')?.rsplit_once('/')?;
    flags.chars().all(|flag| flag.is_ascii_lowercase()).then_some((expression, flags))
}

/// `attn.pattern` of `blocks.2.attn.hook_pattern`.
fn long_form(name: &str) -> String {
    let in_block = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
    in_block.map_or(name, |(_, rest)| rest).replacen("hook_", "", 1)
}

/// Removes the points on request from the matches of a glob, unless the glob names them.
fn without_points_on_request(pattern: &str, matched: Vec<HookPoint>) -> Vec<HookPoint> {
    let (on_request, plain): (Vec<_>, Vec<_>) =
        matched.into_iter().partition(|point| point.on_request());
    let last_segment = pattern.rsplit('.').next().unwrap_or(pattern);
    let named = !last_segment.contains(['*', '?']);
    if named || plain.is_empty() { [plain, on_request].concat() } else { plain }
}

/// `*` stands for any run of characters, `?` for one.
fn glob_matches(pattern: &[u8], name: &[u8]) -> bool {
    // matched[n]: the part of the pattern read so far matches the first n characters of the name.
    let mut matched = vec![false; name.len() + 1];
    matched[0] = true;
    for expected in pattern {
        if *expected == b'*' {
            let shortest = matched.iter().position(|matches| *matches).unwrap_or(matched.len());
            matched[shortest..].fill(true);
        } else {
            for length in (1..=name.len()).rev() {
                matched[length] =
                    matched[length - 1] && (*expected == b'?' || *expected == name[length - 1]);
            }
            matched[0] = false;
        }
    }
    matched[name.len()]
}

/// The nearest names, in the form of the pattern: short names for a short one.
fn nearest_points(pattern: &str, config: &Config) -> String {
    let names = HookPoint::all(config).into_iter().map(|point| point.to_string());
    let is_short = !pattern.contains(['*', '?', '/'])
        && !pattern.contains("hook_")
        && !pattern.starts_with("blocks.");
    if !is_short {
        let names: Vec<String> = names.collect();
        return nearest(pattern, names.iter().map(String::as_str), 3);
    }
    let long: BTreeSet<String> = names.map(|name| long_form(&name)).collect();
    if pattern.contains('.') {
        return nearest(pattern, long.iter().map(String::as_str), 3);
    }
    let last = |long: &'_ String| long.rsplit('.').next().unwrap_or_default().to_string();
    let is_only = |short: &str| long.iter().filter(|long| last(long) == short).count() == 1;
    let short = long.iter().map(|long| {
        Some(last(long)).filter(|short| is_only(short)).unwrap_or_else(|| long.clone())
    });
    let short: Vec<String> = short.collect();
    nearest(pattern, short.iter().map(String::as_str), 3)
}

/// The error for a pattern that names a point of other members of the family.
fn absent(pattern: &str, point: HookPoint, absence: Absence, config: &Config) -> Error {
    let (name, reason) = (shortened(pattern), absence.reason());
    let nearest = nearest_points(pattern, config);
    let named = match name == point.to_string() {
        true => String::new(),
        false => format!(" such as `{point}`"),
    };
    Error::Hook(format!(
        "`{name}` names a hook point{named} that this model lacks, because {reason}; the nearest are {nearest}"
    ))
}

fn nothing_matches(pattern: &str, config: &Config) -> Error {
    let nearest = nearest_points(pattern, config);
    let layers = config.n_layer;
    Error::Hook(format!(
        "`{}` matches no hook point of this {layers}-layer model; the nearest are {nearest}",
        shortened(pattern)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_layers() -> Config {
        Config { n_layer: 2, ..Config::default() }
    }

    #[test]
    fn a_star_takes_every_point_that_is_not_on_request() {
        let points = Selector::parse("*", &two_layers()).unwrap().points().to_vec();
        assert_eq!(points.len(), 2 + 2 * 17 + 4);
        assert!(points.iter().all(|point| !point.on_request()));
    }

    #[test]
    fn a_glob_that_names_a_point_on_request_takes_it() {
        let names = |pattern| {
            let selector = Selector::parse(pattern, &two_layers()).unwrap();
            selector.points().iter().map(HookPoint::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            names("blocks.*.attn.hook_result"),
            ["blocks.0.attn.hook_result", "blocks.1.attn.hook_result"]
        );
        assert_eq!(names("blocks.0.hook_?_input").len(), 3);
        assert!(!names("blocks.0.*").contains(&"blocks.0.hook_attn_in".to_string()));
        assert_eq!(names("/^blocks\\.1\\.hook_(attn|mlp)_in$/").len(), 2);
    }

    #[test]
    fn a_glob_of_many_stars_is_answered_at_once() {
        let pattern = "*a".repeat(40);
        assert!(!glob_matches(pattern.as_bytes(), "a".repeat(39).as_bytes()));
        assert!(glob_matches(pattern.as_bytes(), "a".repeat(41).as_bytes()));
    }

    #[test]
    fn a_misspelled_name_is_answered_with_the_nearest() {
        let error = Selector::parse("blocks.1.attn.hook_patern", &two_layers()).unwrap_err();
        assert_eq!(error.name(), "HookError");
        assert!(error.to_string().contains("`blocks.1.attn.hook_pattern`"), "{error}");
    }

    #[test]
    fn a_misspelled_short_name_is_answered_with_short_names() {
        for (wrong, right) in [
            ("patern", "`pattern`"),
            ("resid_pst", "`resid_post`"),
            ("atn_out", "`attn_out`"),
            ("mlp_ot", "`mlp_out`"),
            ("attn.patern", "`attn.pattern`"),
            ("ln1.scle", "`ln1.scale`"),
        ] {
            let error = Selector::parse(wrong, &two_layers()).unwrap_err().to_string();
            assert!(error.contains(&format!("the nearest are {right}")), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_short_name_is_the_point_of_every_layer() {
        let names = |pattern| {
            let selector = Selector::parse(pattern, &two_layers()).unwrap();
            selector.points().iter().map(HookPoint::to_string).collect::<Vec<_>>()
        };
        let patterns = ["blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern"];
        assert_eq!(names("pattern"), patterns);
        assert_eq!(names("attn.pattern"), patterns);
        assert_eq!(names("ln2.scale"), ["blocks.0.ln2.hook_scale", "blocks.1.ln2.hook_scale"]);
        assert_eq!(names("result").len(), 2, "a name selects points on request");
        assert_eq!(names("embed"), ["hook_embed"]);
        let error = Selector::parse("scale", &two_layers()).unwrap_err().to_string();
        assert_eq!(
            error,
            "hook: `scale` fits several hook points: `ln1.scale`, `ln2.scale`, `ln_final.scale`"
        );
    }

    #[test]
    fn a_regular_expression_may_have_flags() {
        let count = |pattern| Selector::parse(pattern, &two_layers()).map(|it| it.points().len());
        assert_eq!(count("/HOOK_PATTERN$/i").unwrap(), 2);
        assert_eq!(count("/hook_pattern$/gimsu").unwrap(), 2);
        assert!(count("/HOOK_PATTERN$/").is_err());
        let error = count("/pattern/y").unwrap_err().to_string();
        assert_eq!(error, "hook: `/pattern/y` has the flag y, expected i, m, s, g or u");
    }

    #[test]
    fn several_patterns_select_what_any_of_them_does_in_firing_order() {
        let config = two_layers();
        let union = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|one| one.to_string()).collect();
            let points = Selectors::new(&config).union(&patterns);
            points.map(|points| points.iter().map(HookPoint::to_string).collect::<Vec<_>>())
        };
        assert_eq!(
            union(&["unembed.hook_out", "blocks.1.*.hook_z", "z", "hook_embed"]).unwrap(),
            ["hook_embed", "blocks.0.attn.hook_z", "blocks.1.attn.hook_z", "unembed.hook_out"]
        );
        assert!(union(&["z", "nothing"]).is_err());
    }

    #[test]
    fn a_layer_that_the_model_lacks_matches_nothing() {
        assert!(Selector::parse("blocks.2.attn.hook_z", &two_layers()).is_err());
    }
}
