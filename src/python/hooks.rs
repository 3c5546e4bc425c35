//! Interventions as Python: one hook function each, and `hooks`, the list of them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;

use super::literal::strings;
use super::template::{Placeholders, Template};
use crate::checkpoint::Config;
use crate::error::{Error, Result};
use crate::hook::{BlockPoint, HookPoint};
use crate::intervene::{
    Change, Compiler, Helper, Intervention, Plan, PythonLine, Scope, Source, TextLength, tensor,
};

/// The hooks of a script.
pub(super) struct HookList {
    /// The lines that define `hooks`.
    pub(super) script: String,
    /// The points at which they act.
    pub(super) points: Vec<HookPoint>,
}

/// The hooks that carry out `interventions`.
pub(super) fn hooks(
    config: &Config,
    length: TextLength,
    interventions: &[Intervention],
) -> Result<HookList> {
    // JavaScript is not translated, so it is not run either.
    let compiler: Compiler = Rc::new(|_| Ok(Box::new(|values, _| Ok(values))));
    let plan = Plan::new(interventions, config, length, Some(&compiler))?;
    let mut helpers = BTreeSet::new();
    let (mut changes, mut list) = (String::new(), String::new());
    let (mut points, mut carried) = (Vec::new(), Vec::new());
    for (number, change) in plan.changes().iter().enumerate() {
        let line = change.python(number, length).ok_or_else(|| untranslatable(number, change))?;
        helpers.insert(Helper::Select);
        helpers.extend(&line.helpers);
        if attends(&change.scope) {
            helpers.insert(Helper::Causal);
        }
        changes += &change_function(number, &change.scope, line);
        let (mids, others): (Vec<HookPoint>, Vec<HookPoint>) =
            change.scope.points.iter().copied().partition(is_resid_mid);
        add_to_list(&mut list, &format!("change_{number}"), &others);
        add_to_list(&mut list, &format!("through(change_{number})"), &mids);
        carried.extend(mids);
        points.extend_from_slice(&change.scope.points);
    }
    let carry = match carried.is_empty() {
        true => String::new(),
        false => {
            let names = strings(&carried);
            list.insert_str(0, &format!("*[{CARRYING} for name in {names}],\n"));
            Template::Carry.render(&Placeholders::new())
        }
    };
    let values = Placeholders::new()
        .set("HELPERS", helper_functions(&helpers))
        .set("CHANGES", changes)
        .set("CARRY", carry)
        .set_if("LIST", Some(list).filter(|list| !list.is_empty()));
    Ok(HookList { script: Template::Hooks.render(&values), points })
}

fn untranslatable(number: usize, change: &Change) -> Error {
    Error::Hook(format!(
        "intervention {number} at `{}` is a JavaScript function, which cannot be printed as Python: leave it out, or \
         use an action that is data",
        change.scope.at
    ))
}

fn is_resid_mid(point: &HookPoint) -> bool {
    matches!(point, HookPoint::Block(_, BlockPoint::ResidMid))
}

fn attends(scope: &Scope) -> bool {
    scope.points.iter().any(|point| point.axes().contains(&"key"))
}

/// Adds a line with the hook `function` at each of `points`.
fn add_to_list(list: &mut String, function: &str, points: &[HookPoint]) {
    if !points.is_empty() {
        let names = strings(points);
        let _ = writeln!(list, "*[(name, partial({function}, name=name)) for name in {names}],");
    }
}

/// The hook that adds to the residual stream after a block what changed at `name`, its `hook_resid_mid`.
const CARRYING: &str = r#"(name.replace("resid_mid", "resid_post"), partial(carry, name=name))"#;

/// The Python function `change_{number}`, and the values that it uses.
fn change_function(number: usize, scope: &Scope, line: PythonLine) -> String {
    let Scope { heads, channels, positions, .. } = scope;
    let mut selection = "x, name".to_string();
    for (name, indices) in [("positions", positions), ("head", heads), ("last", channels)] {
        if let Some(indices) = indices {
            let _ = write!(selection, ", {name}={indices:?}");
        }
    }
    if let (Some(rows), None) = (line.rows, positions) {
        let _ = write!(selection, ", rows={rows}");
    }
    let result = if attends(scope) { "causal(x, y, name)" } else { "y" };
    let values =
        line.values.as_ref().map(|values| values_by_point(values, scope)).unwrap_or_default();
    let values = Placeholders::new()
        .set_if("VALUES", line.values.map(|_| format!("values_{number}")))
        .set("VALUES_BY_POINT", values)
        .set("CHANGE", format!("change_{number}"))
        .set("SELECTION", selection)
        .set("STATEMENT", line.statement)
        .set("RESULT", result);
    Template::Change.render(&values)
}

/// The entries of a dictionary with the values at each point.
fn values_by_point(values: &Source, scope: &Scope) -> String {
    let entry = |name: String| format!("\"{name}\": {},\n", tensor(&values[&name]));
    scope.points.iter().map(|point| entry(point.to_string())).collect()
}

/// The `used` helpers and those that they use.
fn helper_functions(used: &BTreeSet<Helper>) -> String {
    let needed: BTreeSet<_> = used.iter().flat_map(|helper| helper.with_requirements()).collect();
    let flag = |helper| needed.contains(&helper).then_some("");
    let flags = Placeholders::new()
        .set_if("START", flag(Helper::Start))
        .set_if("MEANS", flag(Helper::Means))
        .set_if("ATTENTION", flag(Helper::Attention))
        .set_if("SELECT", flag(Helper::Select))
        .set_if("CAUSAL", flag(Helper::Causal))
        .set_if("KEYS", flag(Helper::Keys))
        .set_if("OTHER_VALUES", flag(Helper::OtherValues))
        .set_if("MEAN_OF_PROMPT", flag(Helper::MeanOfPrompt))
        .set_if("CUT", flag(Helper::Cut));
    Template::Helpers.render(&flags)
}
