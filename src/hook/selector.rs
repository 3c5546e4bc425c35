//! Selects hook points by name, glob or regular expression.

use std::collections::HashMap;

use super::point::{Absence, HookPoint, check_length, outer_point, parse_block_point};
use crate::checkpoint::Config;
use crate::error::{Error, Result, shortened};
use crate::nearest::nearest;

/// A set of hook points, given by an exact name, a glob with `*` and `?`, or a regular expression
/// between slashes.
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
            Some(expression) => {
                let expression = compile(expression, pattern)?;
                Box::new(move |name| expression.is_match(name))
            }
            None if pattern.contains(['*', '?']) => {
                Box::new(|name| glob_matches(pattern.as_bytes(), name.as_bytes()))
            }
            None => return Err(nothing_matches(pattern, self.config)),
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

fn compile(expression: &str, pattern: &str) -> Result<regex_lite::Regex> {
    let built = regex_lite::RegexBuilder::new(expression).size_limit(MAX_EXPRESSION_SIZE).build();
    built.map_err(|error| {
        Error::Hook(format!("`{}` is not a regular expression: {error}", shortened(pattern)))
    })
}

fn regular_expression(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('/')?.strip_suffix('/')
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

fn nearest_points(pattern: &str, config: &Config) -> String {
    let names: Vec<String> = HookPoint::all(config).iter().map(HookPoint::to_string).collect();
    nearest(pattern, names.iter().map(String::as_str), 3)
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
    fn a_layer_that_the_model_lacks_matches_nothing() {
        assert!(Selector::parse("blocks.2.attn.hook_z", &two_layers()).is_err());
    }
}
