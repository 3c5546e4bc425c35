//! "Copy as TransformerLens": a run, a generation or a sweep as a Python script that does the same.
//!
//! The script needs `transformer_lens` 4 and `transformers` alone. It loads the checkpoint folder it is given, holds the
//! tokens as ids and the values of interventions as numbers, and prints its results as one line of JSON. TransformerLens 4
//! has `TransformerBridge` instead of `HookedTransformer`; with its compatibility names and without processing of the
//! weights, every hook point has the name and the value that it has here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::rc::Rc;

use crate::analysis::gradients::Baseline;
use crate::analysis::patching::{Contrast, Direction, SweepOptions, Target};
use crate::analysis::path_patching::{Mlps, PathOptions, Receivers};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::generate::{GenerateOptions, check_options};
use crate::hook::{BlockPoint, HookPoint, Selectors};
use crate::intervene::{
    Array, Change, Compiler, Helper, Intervention, Plan, PythonLine, Scope, TextLength,
    expect_position, tensor,
};
use crate::run::{Objective, RunOptions, as_batch, layers, resolve_rows};

/// `run(model, tokens, options)`. Prints `log_probs`, `loss`, the norm of what was captured, and that of gradients.
///
/// # Errors
/// As [`run`](crate::run()); [`Error::Config`] where TransformerLens computes something else, [`Error::Hook`] for an
/// intervention that is a JavaScript function.
pub fn run_script(
    config: &Config,
    folder: &str,
    tokens: &[u32],
    options: &RunOptions,
) -> Result<String> {
    let length = TextLength { prompt: tokens.len(), new: 1 };
    check_tokens(config, tokens)?;
    layers(config, tokens, options)?;
    let names = captured(config, options)?;
    let mut script = Script::new(config, folder)?;
    script.hooks(config, length, &options.interventions)?;
    if let Some(start) = &options.start {
        let point = HookPoint::Block(start.layer.min(config.n_layer - 1), BlockPoint::ResidPre);
        let point = if start.layer < config.n_layer {
            point
        } else {
            HookPoint::Block(config.n_layer - 1, BlockPoint::ResidPost)
        };
        let resid = tensor(&Array::of(&start.resid)?);
        script.line(&format!(
            "hooks.insert(0, (\"{point}\", lambda x, hook: {resid}))  # the run starts here"
        ));
    }
    script.switches(names.iter().copied())?;
    script.line(&format!("tokens = torch.tensor([{}])", list(tokens)));
    script.line(&format!("names = {}", strings(&names)));
    match &options.gradients_of {
        None => script.push(RUN),
        Some(objective) => {
            script.objective(objective, tokens.len())?;
            script.push(GRADIENTS);
        }
    }
    let rows = match &options.positions {
        Some(positions) => format!("{:?}", resolve_rows(positions, tokens.len())?),
        None => "None".into(),
    };
    script.line(&format!("rows = {rows}  # of what is captured"));
    script.push(if options.stop_at_layer.is_some() { REPORT_STOPPED } else { REPORT });
    Ok(script.text)
}

/// A generation of the same tokens where they are not sampled; where they are, by the same rule with other random
/// numbers. Prints `ids` and `log_probs`.
///
/// # Errors
/// As [`Generation::new`](crate::Generation::new); otherwise as [`run_script`].
pub fn generation_script(
    config: &Config,
    folder: &str,
    prompt: &[u32],
    options: &GenerateOptions,
) -> Result<String> {
    check_options(options)?;
    check_ids(config, prompt)?;
    let mut script = Script::new(config, folder)?;
    script.hooks(
        config,
        TextLength { prompt: prompt.len(), new: options.max_new_tokens },
        &options.interventions,
    )?;
    script.switches([])?;
    script.line(&format!("text, log_probs = {}, []", list(prompt)));
    script.line(&format!("for step in range({}):", options.max_new_tokens));
    script.line(&format!(
        "    start = max(0, len(text) - {})  # the context is cropped to its last tokens",
        config.n_positions
    ));
    script.push(STEP);
    if options.do_sample {
        script.line(&format!(
            "    logits = logits / {:?}  # drawn with PyTorch's random numbers, not Candlescope's",
            options.temperature
        ));
        if let Some(top_k) = options.top_k {
            script.line(&format!(
                "    logits[logits < logits.topk(min({top_k}, len(logits))).values[-1]] = -torch.inf"
            ));
        }
        if let Some(top_p) = options.top_p {
            script.line("    ordered = logits.softmax(-1).sort(descending=True)");
            script.line(&format!(
                "    logits[ordered.indices[ordered.values.cumsum(0) - ordered.values >= {top_p:?}]] = -torch.inf"
            ));
        }
        script.line("    token = int(logits.softmax(-1).multinomial(1))");
    } else {
        script.line("    token = int(logits.argmax())");
    }
    script.line("    text.append(token)");
    script.line("    log_probs.append(float(scores[token]))");
    if let (true, Some(eos)) = (options.stop_at_eos, config.eos_token_id) {
        script.line(&format!("    if token == {eos}:"));
        script.line("        break");
    }
    for stop in &options.stop {
        script.line(&format!("# Candlescope also stops after the token that completes {stop:?}."));
    }
    script.line(&format!(
        "print(json.dumps({{\"ids\": text[{}:], \"log_probs\": log_probs}}))",
        prompt.len()
    ));
    Ok(script.text)
}

/// A sweep of activation patches. Prints `metric` in the order of [`Patched::raw`](crate::analysis::patching::Patched), and
/// those of the two runs.
///
/// # Errors
/// As [`Sweep::new`](crate::analysis::patching::Sweep::new); [`Error::Config`] where TransformerLens computes something
/// else.
pub fn sweep_script(config: &Config, folder: &str, options: &SweepOptions) -> Result<String> {
    let mut script = Script::new(config, folder)?;
    script.line("torch.set_grad_enabled(False)");
    script.contrast(config, &options.contrast)?;
    let point = options.at.point(0).to_string();
    script.line(&format!(
        "_, theirs = model.run_with_cache(other, names_filter=lambda name: name.endswith(\"{}\"))",
        &point["blocks.0".len()..]
    ));
    let (heads, each_position) =
        (options.at.per_head(), options.each_position || !options.at.per_head());
    let attention = point.ends_with("hook_pattern");
    let head = if heads { "head" } else { "None" };
    let pos = if each_position { "pos" } else { "None" };
    let index = match (heads, each_position, attention) {
        (false, ..) => ":, pos",
        (true, false, true) => ":, head",
        (true, true, true) => ":, head, pos",
        (true, false, false) => ":, :, head",
        (true, true, false) => ":, pos, head",
    };
    if options.at == Target::ResidMid {
        script.push(CARRY);
    }
    script.line("found = []");
    script.line(&format!("for layer in range({}):", config.n_layer));
    script.line(&format!(
        "    for head in {}:",
        if heads { format!("range({})", config.n_head) } else { "[None]".into() }
    ));
    script.line(&format!(
        "        for pos in {}:",
        if each_position { "range(base.shape[1])" } else { "[None]" }
    ));
    script.line(&format!("            def patch(x, hook, name, head={head}, pos={pos}):"));
    script.line("                y = x.clone()");
    script.line(&format!("                y[{index}] = theirs[name][{index}]"));
    script.line("                return y");
    script.line(&format!("            name = f\"blocks.{{layer}}{}\"", &point["blocks.0".len()..]));
    if options.at == Target::ResidMid {
        script.line(&format!(
            "            hooks = [{CARRYING}, (name, partial(through(patch), name=name))]"
        ));
    } else {
        script.line("            hooks = [(name, partial(patch, name=name))]");
    }
    script.line("            found.append(metric(model.run_with_hooks(base, fwd_hooks=hooks), base).item())");
    script.push(SWEPT);
    Ok(script.text)
}

/// The estimate of a sweep from one backward pass. Prints as [`sweep_script`].
///
/// # Errors
/// As [`attribution_patching`](crate::analysis::gradients::attribution_patching); [`Error::Config`] where TransformerLens
/// computes something else.
pub fn attribution_script(config: &Config, folder: &str, options: &SweepOptions) -> Result<String> {
    let mut script = Script::new(config, folder)?;
    script.contrast(config, &options.contrast)?;
    let points: Vec<_> = (0..config.n_layer).map(|layer| options.at.point(layer)).collect();
    script.line("hooks = []");
    script.line(&format!("names = {}", strings(&points)));
    script.line("tokens = base");
    script.push(GRADIENTS);
    script.push(ATTRIBUTED);
    if options.at.per_head() {
        if !options.at.point(0).axes().contains(&"key") {
            script.line("    effect = effect.T  # by head, then position");
        }
        if !options.each_position {
            script.line("    effect = effect.sum(-1)");
        }
    }
    script.line("    found += (effect + metric(logits, base)).flatten().tolist()");
    script.push(SWEPT);
    Ok(script.text)
}

/// Integrated gradients over the tokens. Prints `shares`, and the metric of the prompt and of the `baseline`.
///
/// # Errors
/// As [`IntegratedGradients::new`](crate::analysis::gradients::IntegratedGradients::new); [`Error::Config`] where
/// TransformerLens computes something else.
pub fn integrated_script(
    config: &Config,
    folder: &str,
    tokens: &[u32],
    metric: &Objective,
    baseline: &Baseline,
    steps: usize,
) -> Result<String> {
    check_tokens(config, tokens)?;
    if steps == 0 {
        return Err(Error::Input(
            "integrated gradients need at least one step, 32 are a good start".into(),
        ));
    }
    if let Baseline::Tokens(other) = baseline {
        check_tokens(config, other)?;
        if other.len() != tokens.len() {
            let (found, expected) = (other.len(), tokens.len());
            return Err(Error::Input(format!(
                "the baseline has {found} tokens, the prompt {expected}; expected as many"
            )));
        }
    }
    let mut script = Script::new(config, folder)?;
    script.line(&format!("tokens = torch.tensor([{}])", list(tokens)));
    script.objective(metric, tokens.len())?;
    script.push(EMBEDDED);
    script.line(&match baseline {
        Baseline::Zero => "start = torch.zeros_like(end)".into(),
        Baseline::Tokens(other) => format!("start = embedded(torch.tensor([{}]))", list(other)),
    });
    script.line(&format!("steps = {steps}"));
    script.push(INTEGRATED);
    Ok(script.text)
}

/// A sweep of path patches over all senders. Prints as [`sweep_script`].
///
/// # Errors
/// As [`PathSweep::new`](crate::analysis::path_patching::PathSweep::new); [`Error::Config`] where TransformerLens computes
/// something else.
pub fn path_script(config: &Config, folder: &str, options: &PathOptions) -> Result<String> {
    options.receivers.check(config)?;
    let mut script = Script::new(config, folder)?;
    script.line("torch.set_grad_enabled(False)");
    script.contrast(config, &options.contrast)?;
    script.line("_, ours = model.run_with_cache(base)");
    script.line("_, theirs = model.run_with_cache(other)");
    let receivers = match &options.receivers {
        Receivers::Logits => "None".to_string(),
        Receivers::Heads(receivers) => {
            let mut heads: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for receiver in receivers {
                heads.entry(receiver.point().to_string()).or_default().push(receiver.head);
            }
            format!("{heads:?}")
        }
    };
    script.line(&format!("receivers = {receivers}"));
    let frozen = match options.mlps {
        Mlps::Frozen => "(\"hook_z\", \"hook_mlp_out\")",
        Mlps::Recomputed => "(\"hook_z\",)",
    };
    script.line(&format!("frozen = [name for name in ours if name.endswith({frozen})]"));
    script.line("found = []");
    script.line(&format!("for layer in range({}):", config.n_layer));
    script.line(&format!("    for head in range({}):", config.n_head));
    script.push(PATHS);
    script.push(SWEPT);
    Ok(script.text)
}

const RUN: &str = r#"with torch.no_grad(), model.hooks(fwd_hooks=hooks):
    logits, cache = model.run_with_cache(tokens, names_filter=names)
gradients = {}
"#;

const GRADIENTS: &str = r#"cache = {}


def keep(x, hook, name):
    x = x.clone() if x.requires_grad else x.clone().requires_grad_(True)
    x.retain_grad()
    cache[name] = x
    return x


# TransformerBridge shows hook_resid_mid to the MLP alone: the rest of its gradient is that after the block.
after = [name.replace("resid_mid", "resid_post") for name in names if name.endswith("hook_resid_mid")]
kept = list(dict.fromkeys(names + after))

logits = model.run_with_hooks(tokens, fwd_hooks=hooks + [(name, partial(keep, name=name)) for name in kept])
metric(logits, tokens).backward()
gradients = {name: torch.zeros_like(x) if x.grad is None else x.grad for name, x in cache.items()}
for name in names:
    if name.endswith("hook_resid_mid"):
        gradients[name] = gradients[name] + gradients[name.replace("resid_mid", "resid_post")]
gradients = {name: gradients[name] for name in names}
"#;

const REPORT: &str = r#"log_probs = logits[0, :-1].log_softmax(-1).gather(-1, tokens[0, 1:, None])[:, 0].tolist()


def norm(name, x):
    if rows is not None:
        x = x[:, :, rows] if name.endswith(("hook_attn_scores", "hook_pattern")) else x[:, rows]
    return x[x.isfinite()].norm().item()


print(json.dumps({
    "log_probs": log_probs,
    "loss": -sum(log_probs) / len(log_probs) if log_probs else None,
    "captured": {name: norm(name, cache[name]) for name in names},
    "gradients": {name: norm(name, x) for name, x in gradients.items()},
}))
"#;

const REPORT_STOPPED: &str = r#"def norm(name, x):
    if rows is not None:
        x = x[:, :, rows] if name.endswith(("hook_attn_scores", "hook_pattern")) else x[:, rows]
    return x[x.isfinite()].norm().item()


print(json.dumps({"captured": {name: norm(name, cache[name]) for name in names}}))
"#;

const STEP: &str = r#"    with torch.no_grad():
        logits = model.run_with_hooks(torch.tensor([text[start:]]), fwd_hooks=hooks)[0, -1]
    scores = logits.log_softmax(-1)
"#;

const ATTRIBUTED: &str = r#"
_, theirs = model.run_with_cache(other, names_filter=names)
found = []
for name in names:
    effect = ((theirs[name] - cache[name]) * gradients[name]).sum(-1)[0].detach()
"#;

const EMBEDDED: &str = r#"

def embedded(tokens):
    return model.run_with_cache(tokens, names_filter=["hook_embed"])[1]["hook_embed"].detach()


def measured(x):
    return metric(model.run_with_hooks(tokens, fwd_hooks=[("hook_embed", lambda _, hook: x)]), tokens)


end = embedded(tokens)
"#;

const INTEGRATED: &str = r#"total = torch.zeros_like(end)
for step in range(steps):
    x = (start + (step + 0.5) / steps * (end - start)).requires_grad_(True)
    measured(x).backward()
    total += x.grad
print(json.dumps({
    "shares": ((end - start) * total / steps).sum(-1)[0].tolist(),
    "metric": measured(end).item(),
    "baseline": measured(start).item(),
}))
"#;

const SWEPT: &str = r#"print(json.dumps({
    "metric": found,
    "base": metric(model(base), base).item(),
    "other": metric(model(other), other).item(),
}))
"#;

const PATHS: &str = r#"        sender = f"blocks.{layer}.attn.hook_z"

        def send(x, hook, head=head, sender=sender):
            y = x.clone()
            y[:, :, head] = theirs[sender][:, :, head]
            return y

        hooks = [(name, lambda x, hook, name=name: ours[name]) for name in frozen]
        hooks.append((sender, send))
        if receivers is None:
            found.append(metric(model.run_with_hooks(base, fwd_hooks=hooks), base).item())
            continue
        heard = {}

        def listen(x, hook, name):
            heard[name] = x.clone()

        def receive(x, hook, name, heads):
            y = x.clone()
            y[:, :, heads] = heard[name][:, :, heads]
            return y

        model.run_with_hooks(base, fwd_hooks=hooks + [(name, partial(listen, name=name)) for name in receivers])
        reached = [(name, partial(receive, name=name, heads=heads)) for name, heads in receivers.items()]
        found.append(metric(model.run_with_hooks(base, fwd_hooks=reached), base).item())
"#;

/// The hook that gives the residual stream after a block what changed at `name`, its `hook_resid_mid`.
const CARRYING: &str = r#"(name.replace("resid_mid", "resid_post"), partial(carry, name=name))"#;

/// The functions that hooks on a part of a value use, in their order in a script.
const HELPERS: [(Helper, &str); 9] = [
    (
        Helper::Start,
        r#"
start = 0  # the position in the text of the context's first token
"#,
    ),
    (
        Helper::Means,
        r#"means = {}
"#,
    ),
    (
        Helper::Attention,
        r#"

def attention(name):
    return name.endswith(("hook_attn_scores", "hook_pattern"))
"#,
    ),
    (
        Helper::Select,
        r#"

def select(x, name, positions=None, head=None, last=None, rows=None):
    """The index of a part of x, and the place of each of its rows in the list of positions."""
    axis = 2 if attention(name) else 1
    listed = range(start + x.shape[axis]) if positions is None else positions
    pairs = [(p - start, place) for place, p in enumerate(listed) if 0 <= p - start < x.shape[axis]]
    pairs = [(row, place) for row, place in pairs if rows is None or place < rows]
    chosen = [list(range(n)) for n in x.shape]
    chosen[axis] = [row for row, _ in pairs]
    if head is not None:
        chosen[1 if attention(name) else 2] = head
    if last is not None:
        chosen[-1] = last
    part = torch.meshgrid(*[torch.tensor(c, dtype=torch.long) for c in chosen], indexing="ij")
    return part, [place for _, place in pairs]
"#,
    ),
    (
        Helper::Causal,
        r#"

def causal(x, y, name):
    """Attention to later keys stays as it was."""
    return torch.where(torch.ones_like(x, dtype=torch.bool).tril(), y, x) if attention(name) else y
"#,
    ),
    (
        Helper::Keys,
        r#"

def keys(values, x):
    """One value for each key of the context."""
    missing = max(0, start + x.shape[-1] - values.shape[-1])
    return torch.nn.functional.pad(values, (0, missing))[..., start : start + x.shape[-1]]
"#,
    ),
    (
        Helper::OtherValues,
        r#"

def other_values(values, x, part, places, name, rows=None):
    """The part of another run's values; rows says which of its positions stand for the selected ones."""
    axis = 2 if attention(name) else 1
    part = list(part)
    if rows is None:
        part[axis] = part[axis] + start
    else:
        shape = [-1 if a == axis else 1 for a in range(x.dim())]
        part[axis] = torch.tensor([rows[place] for place in places]).reshape(shape).expand_as(part[0])
    return (keys(values, x) if attention(name) else values)[tuple(part)]
"#,
    ),
    (
        Helper::MeanOfPrompt,
        r#"

def mean_of_prompt(x, key, prompt):
    if key not in means:
        means[key] = x[:, : max(1, prompt - start)].mean(1, keepdim=True)
    return means[key].expand_as(x)
"#,
    ),
    (
        Helper::Cut,
        r#"

def cut(x, name, edges, part, renormalize):
    """Without some attention edges; None means every query, or every key."""
    selected = torch.zeros_like(x, dtype=torch.bool)
    selected[part] = True
    length = x.shape[-1]
    for query, key in edges:
        gone = torch.zeros(length, length, dtype=torch.bool)
        for q in range(length) if query is None else [query - start]:
            for k in range(q + 1) if key is None else [key - start]:
                if 0 <= k <= q < length:
                    gone[q, k] = True
        x = torch.where(selected & gone, -torch.inf if name.endswith("scores") else 0.0, x)
        touched = selected & gone.any(-1, keepdim=True)
        if renormalize:
            total = x.sum(-1, keepdim=True)
            x = torch.where(touched, x / torch.where(total == 0, 1.0, total), x)
    return x
"#,
    ),
];

/// TransformerBridge shows `hook_resid_mid` to the MLP alone.
const CARRY: &str = r#"
carried = {}


def through(change):
    """A change at hook_resid_mid reaches the MLP; the residual stream beside it gets it after the block."""

    def both(x, hook, name):
        y = change(x, hook, name)
        carried[name] = carried.get(name, 0) + y - x
        return y

    return both


def carry(x, hook, name):
    return x + carried.pop(name, 0)

"#;

struct Script {
    text: String,
    hooked: Vec<HookPoint>,
}

impl Script {
    fn new(config: &Config, folder: &str) -> Result<Script> {
        if !config.scale_attn_weights {
            return Err(Error::Config(
                "`scale_attn_weights` is off: TransformerLens 4 scales the attention of every GPT-2, so its numbers would \
                 differ"
                    .into(),
            ));
        }
        let folder = text(folder);
        let text = format!(
            "# pip install \"transformer_lens>=4,<5\"\n\
             import json\n\
             from functools import partial\n\n\
             import torch\n\
             from transformer_lens.model_bridge import TransformerBridge\n\
             from transformers import GPT2LMHeadModel\n\n\
             folder = {folder}  # with config.json and model.safetensors, or a Hugging Face id\n\
             weights = GPT2LMHeadModel.from_pretrained(folder, attn_implementation=\"eager\", dtype=torch.float32)\n\
             model = TransformerBridge.boot_transformers(folder, hf_model=weights, dtype=torch.float32, device=\"cpu\")\n\
             model.enable_compatibility_mode(disable_warnings=True, no_processing=True)\n"
        );
        Ok(Script { text, hooked: Vec::new() })
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// Switches on what TransformerLens computes only when told to.
    fn switches(&mut self, names: impl IntoIterator<Item = HookPoint>) -> Result<()> {
        let points: Vec<_> = names.into_iter().chain(self.hooked.clone()).collect();
        let uses = |switched: &[BlockPoint]| {
            points.iter().any(
                |point| matches!(point, HookPoint::Block(_, point) if switched.contains(point)),
            )
        };
        let (attn_in, split) = (
            uses(&[BlockPoint::AttnIn]),
            uses(&[BlockPoint::QInput, BlockPoint::KInput, BlockPoint::VInput]),
        );
        if attn_in && split {
            return Err(Error::Hook(
                "TransformerLens 4 computes either `hook_attn_in` or `hook_q_input`, `hook_k_input` and `hook_v_input`: \
                 name only one of the two kinds"
                    .into(),
            ));
        }
        for (needed, switch) in [
            (uses(&[BlockPoint::Result]), "use_attn_result"),
            (attn_in, "use_attn_in"),
            (split, "use_split_qkv_input"),
            (uses(&[BlockPoint::MlpIn]), "use_hook_mlp_in"),
        ] {
            if needed {
                self.line(&format!("model.set_{switch}(True)"));
            }
        }
        Ok(())
    }

    /// One Python function for each intervention, and `hooks`, the list of them.
    fn hooks(
        &mut self,
        config: &Config,
        length: TextLength,
        interventions: &[Intervention],
    ) -> Result<()> {
        // JavaScript is not translated, so it is not run either.
        let compiler: Compiler = Rc::new(|_| Ok(Box::new(|values, _| Ok(values))));
        let plan = Plan::new(interventions, config, length, Some(&compiler))?;
        if plan.changes().is_empty() {
            self.line("hooks = []");
            return Ok(());
        }
        let before = self.text.len();
        let (mut listed, mut carried) = (String::new(), Vec::<HookPoint>::new());
        let mut used = BTreeSet::from([Helper::Select]);
        for (number, change) in plan.changes().iter().enumerate() {
            let line = change.python(number, length).ok_or_else(|| {
                Error::Hook(format!(
                    "intervention {number} at `{}` is a JavaScript function, which cannot be printed as Python: leave it \
                     out, or say it as one of the actions that are data",
                    change.scope.at
                ))
            })?;
            used.extend(&line.helpers);
            if change.scope.points.iter().any(|point| point.axes().contains(&"key")) {
                used.insert(Helper::Causal);
            }
            self.change(number, change, line);
            let (mids, rest): (Vec<HookPoint>, Vec<HookPoint>) = change
                .scope
                .points
                .iter()
                .copied()
                .partition(|point| matches!(point, HookPoint::Block(_, BlockPoint::ResidMid)));
            if !rest.is_empty() {
                let _ = writeln!(
                    listed,
                    "    *[(name, partial(change_{number}, name=name)) for name in {}],",
                    strings(&rest)
                );
            }
            if !mids.is_empty() {
                let _ = writeln!(
                    listed,
                    "    *[(name, partial(through(change_{number}), name=name)) for name in {}],",
                    strings(&mids)
                );
            }
            carried.extend(mids);
            self.hooked.extend_from_slice(&change.scope.points);
        }
        if !carried.is_empty() {
            self.push(CARRY);
            listed
                .insert_str(0, &format!("    *[{CARRYING} for name in {}],\n", strings(&carried)));
        }
        self.line(&format!("hooks = [\n{listed}]"));
        let helpers = helpers(&used);
        self.text.insert_str(before, &helpers);
        Ok(())
    }

    fn change(&mut self, number: usize, change: &Change, line: PythonLine) {
        let Scope { points, heads, channels, positions, .. } = &change.scope;
        if let Some(values) = line.values {
            self.line(&format!("\nvalues_{number} = {{"));
            for point in points {
                let name = point.to_string();
                self.line(&format!("    \"{name}\": {},", tensor(&values[&name])));
            }
            self.line("}");
        }
        self.line(&format!("\n\ndef change_{number}(x, hook, name):"));
        let mut selection = String::new();
        for (name, indices) in [("positions", positions), ("head", heads), ("last", channels)] {
            if let Some(indices) = indices {
                let _ = write!(selection, ", {name}={indices:?}");
            }
        }
        if let (Some(rows), None) = (line.rows, positions) {
            let _ = write!(selection, ", rows={rows}");
        }
        self.line(&format!("    part, places = select(x, name{selection})"));
        self.line("    y = x.clone()");
        self.line(&format!("    {}", line.statement));
        let attention = points.iter().any(|point| point.axes().contains(&"key"));
        self.line(if attention { "    return causal(x, y, name)\n" } else { "    return y\n" });
    }

    /// `metric(logits, tokens)`.
    fn objective(&mut self, objective: &Objective, length: usize) -> Result<()> {
        self.line("\n\ndef metric(logits, tokens):");
        let metric = match objective {
            Objective::Loss if length < 2 => {
                return Err(Error::Input("the loss needs at least two tokens, found one".into()));
            }
            Objective::Loss => {
                "-logits[0, :-1].log_softmax(-1).gather(-1, tokens[0, 1:, None]).mean()".to_string()
            }
            Objective::Logit { answer, against, position } => {
                let row = absolute(&[*position], length)?[0];
                let against = against
                    .map_or(String::new(), |against| format!(" - logits[0, {row}, {against}]"));
                format!("logits[0, {row}, {answer}]{against}")
            }
        };
        self.line(&format!("    return {metric}\n\n"));
        Ok(())
    }

    /// The prompt that is patched as `base`, the one whose values go into it as `other`, and `metric`.
    fn contrast(&mut self, config: &Config, contrast: &Contrast) -> Result<()> {
        contrast.check()?;
        check_tokens(config, contrast.base())?;
        check_tokens(config, contrast.other())?;
        let (base, other) = match contrast.direction {
            Direction::Denoise => ("corrupted", "clean"),
            Direction::Noise => ("clean", "corrupted"),
        };
        self.line(&format!(
            "base = torch.tensor([{}])  # the {base} prompt",
            list(contrast.base())
        ));
        self.line(&format!(
            "other = torch.tensor([{}])  # the {other} prompt",
            list(contrast.other())
        ));
        self.objective(&contrast.metric, contrast.base().len())
    }
}

/// The text of `used` helpers and of those that these use.
fn helpers(used: &BTreeSet<Helper>) -> String {
    let needed: BTreeSet<_> = used.iter().flat_map(|helper| helper.with_requirements()).collect();
    let needed = HELPERS.iter().filter(|(helper, _)| needed.contains(helper));
    needed.map(|(_, text)| *text).collect()
}

/// The points that a run captures, of those that it reaches.
fn captured(config: &Config, options: &RunOptions) -> Result<Vec<HookPoint>> {
    let (mut selectors, mut points) = (Selectors::new(config), BTreeSet::<HookPoint>::new());
    for name in &options.names {
        points.extend(selectors.parse(name)?);
    }
    let first = options.start.as_ref().map(|start| start.layer);
    let reached = |point: &HookPoint| {
        let early = matches!(point, HookPoint::Embed | HookPoint::PosEmbed);
        let after_start =
            first.is_none_or(|first| !early && point.layer().is_none_or(|layer| layer >= first));
        let before_stop = options
            .stop_at_layer
            .is_none_or(|stop| early || point.layer().is_some_and(|layer| layer < stop));
        after_start && before_stop
    };
    Ok(HookPoint::all(config)
        .into_iter()
        .filter(|point| points.contains(point) && reached(point))
        .collect())
}

/// Checks that a run could begin with these tokens.
fn check_tokens(config: &Config, tokens: &[u32]) -> Result<()> {
    check_ids(config, tokens)?;
    match tokens.len() <= config.n_positions {
        true => Ok(()),
        false => Err(Error::context_too_long(tokens.len(), config.n_positions)),
    }
}

fn check_ids(config: &Config, tokens: &[u32]) -> Result<()> {
    as_batch(tokens)?; // at least one
    match tokens.iter().find(|id| **id as usize >= config.vocab_size) {
        Some(id) => Err(Error::out_of_range(format_args!("token id {id}"), config.vocab_size)),
        None => Ok(()),
    }
}

fn absolute(positions: &[i64], length: usize) -> Result<Vec<usize>> {
    positions.iter().map(|position| expect_position(*position, length)).collect()
}

fn list(ids: &[u32]) -> String {
    format!("{ids:?}")
}

fn strings(points: &[impl std::fmt::Display]) -> String {
    let quoted: Vec<_> = points.iter().map(|point| format!("\"{point}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// A Python string: JSON's escapes are Python's, but for characters beyond 16 bits, which both may hold as they are.
fn text(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
