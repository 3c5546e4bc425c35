//! The places in a forward pass where a value can be read or replaced, under TransformerLens's names.
//!
//! In: a name, a glob or a regular expression. Out: [`HookPoint`]s, and through [`Hooks`] the values at them.
//! Hooks are passed into a run; the model stores none, so there is nothing to reset.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use candle_core::Tensor;

use crate::config::Config;
use crate::error::{Error, Result, shortened};
use crate::nearest::nearest;

/// A place in the forward pass. Prints and parses as TransformerLens names it:
/// `blocks.1.attn.hook_pattern`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookPoint {
    Embed,
    PosEmbed,
    Block(usize, BlockPoint),
    LnFinalScale,
    LnFinalNormalized,
    UnembedIn,
    UnembedOut,
}

/// A place inside a transformer block, in firing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockPoint {
    ResidPre,
    AttnIn,
    QInput,
    KInput,
    VInput,
    Ln1Scale,
    Ln1Normalized,
    Q,
    K,
    V,
    AttnScores,
    Pattern,
    Z,
    Result,
    AttnOut,
    ResidMid,
    MlpIn,
    Ln2Scale,
    Ln2Normalized,
    MlpPre,
    MlpPost,
    MlpOut,
    ResidPost,
}

type Axes = &'static [&'static str];

const RESIDUAL: Axes = &["batch", "pos", "d_model"];
const PER_HEAD_RESIDUAL: Axes = &["batch", "pos", "head", "d_model"];
const SCALE: Axes = &["batch", "pos", "1"];
const HEAD: Axes = &["batch", "pos", "head", "d_head"];
const ATTENTION: Axes = &["batch", "head", "query", "key"];
const MLP: Axes = &["batch", "pos", "d_mlp"];
const LOGITS: Axes = &["batch", "pos", "vocab"];

/// Every point of a block: its name after `blocks.{layer}.` and its axes, in firing order.
const BLOCK_POINTS: [(BlockPoint, &str, Axes); 23] = [
    (BlockPoint::ResidPre, "hook_resid_pre", RESIDUAL),
    (BlockPoint::AttnIn, "hook_attn_in", PER_HEAD_RESIDUAL),
    (BlockPoint::QInput, "hook_q_input", PER_HEAD_RESIDUAL),
    (BlockPoint::KInput, "hook_k_input", PER_HEAD_RESIDUAL),
    (BlockPoint::VInput, "hook_v_input", PER_HEAD_RESIDUAL),
    (BlockPoint::Ln1Scale, "ln1.hook_scale", SCALE),
    (BlockPoint::Ln1Normalized, "ln1.hook_normalized", RESIDUAL),
    (BlockPoint::Q, "attn.hook_q", HEAD),
    (BlockPoint::K, "attn.hook_k", HEAD),
    (BlockPoint::V, "attn.hook_v", HEAD),
    (BlockPoint::AttnScores, "attn.hook_attn_scores", ATTENTION),
    (BlockPoint::Pattern, "attn.hook_pattern", ATTENTION),
    (BlockPoint::Z, "attn.hook_z", HEAD),
    (BlockPoint::Result, "attn.hook_result", PER_HEAD_RESIDUAL),
    (BlockPoint::AttnOut, "hook_attn_out", RESIDUAL),
    (BlockPoint::ResidMid, "hook_resid_mid", RESIDUAL),
    (BlockPoint::MlpIn, "hook_mlp_in", RESIDUAL),
    (BlockPoint::Ln2Scale, "ln2.hook_scale", SCALE),
    (BlockPoint::Ln2Normalized, "ln2.hook_normalized", RESIDUAL),
    (BlockPoint::MlpPre, "mlp.hook_pre", MLP),
    (BlockPoint::MlpPost, "mlp.hook_post", MLP),
    (BlockPoint::MlpOut, "hook_mlp_out", RESIDUAL),
    (BlockPoint::ResidPost, "hook_resid_post", RESIDUAL),
];

/// The points outside the blocks: those before them, then those after.
const OUTER_POINTS: [(HookPoint, &str, Axes); 6] = [
    (HookPoint::Embed, "hook_embed", RESIDUAL),
    (HookPoint::PosEmbed, "hook_pos_embed", RESIDUAL),
    (HookPoint::LnFinalScale, "ln_final.hook_scale", SCALE),
    (HookPoint::LnFinalNormalized, "ln_final.hook_normalized", RESIDUAL),
    (HookPoint::UnembedIn, "unembed.hook_in", RESIDUAL),
    (HookPoint::UnembedOut, "unembed.hook_out", LOGITS),
];

impl HookPoint {
    /// Every point of a model of this shape, in firing order.
    pub fn all(config: &Config) -> Vec<HookPoint> {
        let (before, after) = OUTER_POINTS.split_at(2);
        let block =
            |layer| BLOCK_POINTS.iter().map(move |(point, ..)| HookPoint::Block(layer, *point));
        let outer =
            |points: &'static [(HookPoint, &str, Axes)]| points.iter().map(|(point, ..)| *point);
        outer(before).chain((0..config.n_layer).flat_map(block)).chain(outer(after)).collect()
    }

    /// The names of the value's axes, outermost first. The scale's last axis has length 1 and is called `1`.
    pub fn axes(self) -> &'static [&'static str] {
        self.row().1
    }

    /// Whether the value is computed only when a hook or a capture names the point, because it costs more than
    /// the run itself needs.
    pub fn on_request(self) -> bool {
        use BlockPoint::*;
        matches!(self, HookPoint::Block(_, AttnIn | QInput | KInput | VInput | Result | MlpIn))
    }

    /// The block that the point lies in, if it lies in one.
    pub fn layer(self) -> Option<usize> {
        match self {
            HookPoint::Block(layer, _) => Some(layer),
            _ => None,
        }
    }

    /// The name without `blocks.{layer}.`, and the axes.
    fn row(self) -> (&'static str, Axes) {
        match self {
            HookPoint::Block(_, point) => {
                let (_, name, axes) = BLOCK_POINTS[point as usize];
                (name, axes)
            }
            _ => OUTER_POINTS
                .iter()
                .find(|(point, ..)| *point == self)
                .map(|(_, name, axes)| (*name, *axes))
                .expect("OUTER_POINTS lists every point outside the blocks"),
        }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = self.row();
        match self.layer() {
            Some(layer) => write!(f, "blocks.{layer}.{name}"),
            None => f.write_str(name),
        }
    }
}

impl FromStr for HookPoint {
    type Err = Error;

    fn from_str(name: &str) -> Result<HookPoint> {
        check_length(name)?;
        outer_point(name).or_else(|| parse_block_point(name)).ok_or_else(|| {
            let known = OUTER_POINTS.iter().map(|(_, known, _)| *known);
            let block = BLOCK_POINTS.map(|(_, known, _)| format!("blocks.0.{known}"));
            let known = known.chain(block.iter().map(String::as_str));
            Error::Hook(format!(
                "no hook point is named `{}`; the nearest are {}",
                shortened(name),
                nearest(name, known, 3)
            ))
        })
    }
}

fn outer_point(name: &str) -> Option<HookPoint> {
    OUTER_POINTS.iter().find(|(_, known, _)| *known == name).map(|(point, ..)| *point)
}

fn parse_block_point(name: &str) -> Option<HookPoint> {
    let (number, rest) = name.strip_prefix("blocks.")?.split_once('.')?;
    let (point, ..) = BLOCK_POINTS.iter().find(|(_, known, _)| *known == rest)?;
    let layer: usize = number.parse().ok()?;
    (layer.to_string() == number).then_some(HookPoint::Block(layer, *point)) // not "+1" and "01"
}

/// In bytes. The time to match a pattern and the length of a message grow with it.
const LONGEST_NAME: usize = 1000;

fn check_length(name: &str) -> Result<()> {
    match name.len() <= LONGEST_NAME {
        true => Ok(()),
        false => Err(Error::Hook(format!(
            "a hook name has {} bytes, expected at most {LONGEST_NAME}; it begins with `{}`",
            name.len(),
            shortened(name)
        ))),
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
        let exact = outer_point(pattern).or_else(|| parse_block_point(pattern));
        let exists =
            |point: &HookPoint| point.layer().is_none_or(|layer| layer < self.config.n_layer);
        if let Some(point) = exact.filter(exists) {
            return Ok(vec![point]);
        }
        let points = match regular_expression(pattern) {
            Some(expression) => {
                let expression = compile(expression, pattern)?;
                self.matching(|name| expression.is_match(name))
            }
            None if pattern.contains(['*', '?']) => plain_unless_named(
                pattern,
                self.matching(|name| glob_matches(pattern.as_bytes(), name.as_bytes())),
            ),
            None => Vec::new(),
        };
        match points.is_empty() {
            true => Err(nothing_matches(pattern, self.config)),
            false => Ok(points),
        }
    }

    fn matching(&mut self, matches: impl Fn(&str) -> bool) -> Vec<HookPoint> {
        if self.all.is_empty() {
            self.all = HookPoint::all(self.config)
                .into_iter()
                .map(|point| (point, point.to_string()))
                .collect();
        }
        self.all.iter().filter(|(_, name)| matches(name)).map(|(point, _)| *point).collect()
    }
}

/// The time that a match takes grows with the compiled size: counted repetitions can make a short pattern huge.
const LARGEST_EXPRESSION: usize = 1 << 17;

fn compile(expression: &str, pattern: &str) -> Result<regex_lite::Regex> {
    let built = regex_lite::RegexBuilder::new(expression).size_limit(LARGEST_EXPRESSION).build();
    built.map_err(|error| {
        Error::Hook(format!("`{}` is not a regular expression: {error}", shortened(pattern)))
    })
}

/// Which hook points are meant: one by its exact name, many by `*` glob, many by regular expression between
/// slashes.
///
/// A glob takes a point *on request* only where it names it: `blocks.*.attn.hook_result` does, `blocks.0.*` and
/// `*` do not, unless nothing else matches (`blocks.*.hook_?_input`). An exact name or a regular expression
/// takes whatever it matches.
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
    /// [`Error::Hook`] with the nearest names when nothing matches, or when a regular expression is malformed.
    pub fn parse(pattern: &str, config: &Config) -> Result<Selector> {
        Ok(Selector { points: Selectors::new(config).parse(pattern)?.to_vec() })
    }

    /// What the pattern matched, in firing order. Never empty.
    pub fn points(&self) -> &[HookPoint] {
        &self.points
    }
}

fn regular_expression(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('/')?.strip_suffix('/')
}

/// The points that a glob matches, without those on request unless the glob names them.
fn plain_unless_named(pattern: &str, matched: Vec<HookPoint>) -> Vec<HookPoint> {
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

fn nothing_matches(pattern: &str, config: &Config) -> Error {
    let names: Vec<String> = HookPoint::all(config).iter().map(HookPoint::to_string).collect();
    let nearest = nearest(pattern, names.iter().map(String::as_str), 3);
    let layers = config.n_layer;
    Error::Hook(format!(
        "`{}` matches no hook point of this {layers}-layer model; the nearest are {nearest}",
        shortened(pattern)
    ))
}

/// Where and when a value was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookContext {
    pub point: HookPoint,
    /// The position in the context of the value's first row along `pos` or `query`: 0, or the number of
    /// positions already in the key/value cache.
    pub first_position: usize,
}

/// What a run does with the values it meets.
///
/// The run asks [`wants`](Hooks::wants) first, and hands a value over only where the answer is yes; a point *on
/// request* is computed only then. Returning the value as it came changes no number.
pub trait Hooks {
    /// Whether [`visit`](Hooks::visit) is to be called at `point`.
    fn wants(&self, point: HookPoint) -> bool;

    /// Takes the value met at `context`, and returns the value with which the run goes on: one of the same shape.
    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor>;
}

/// Looks at nothing, changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn wants(&self, _: HookPoint) -> bool {
        false
    }

    fn visit(&mut self, _: HookContext, value: Tensor) -> Result<Tensor> {
        Ok(value)
    }
}

/// Several hooks, one after the other: each sees what the one before it returned.
pub struct Chain<'a>(pub Vec<&'a mut dyn Hooks>);

impl Hooks for Chain<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        self.0.iter().any(|hooks| hooks.wants(point))
    }

    fn visit(&mut self, context: HookContext, value: Tensor) -> Result<Tensor> {
        let mut wanting = self.0.iter_mut().filter(|hooks| hooks.wants(context.point));
        wanting.try_fold(value, |value, hooks| hooks.visit(context, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_layers() -> Config {
        Config { n_layer: 2, ..Config::default() }
    }

    #[test]
    fn every_name_parses_back_to_its_point() {
        for point in HookPoint::all(&two_layers()) {
            assert_eq!(point.to_string().parse::<HookPoint>().unwrap(), point);
        }
    }

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, (point, ..)) in BLOCK_POINTS.iter().enumerate() {
            assert_eq!(*point as usize, index);
        }
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
