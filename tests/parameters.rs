//! Weights by name, against the files and TransformerLens, and models with other weights, against interventions.

mod common;

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use candlescope::checkpoint::NoticeKind;
use candlescope::intervene::Choice;
use candlescope::kernel::WeightFormat;
use candlescope::parameter::{NewWeight, ParameterOptions, Weight, parameter, with_parameters};
use candlescope::{Error, Intervention, Model, RunOptions, WeightsReader, run};
use common::*;

fn read(model: &Model, name: &str) -> Weight {
    parameter(model, name, &ParameterOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn every_fixture() -> impl Iterator<Item = &'static Fixture> {
    FIXTURES.iter().chain(&TOYS)
}

fn model_in(fixture: &Fixture, format: WeightFormat) -> Model {
    let config = fixture.config();
    let mut reader = WeightsReader::with_format(&config, None, format);
    reader.push(fixture.weights).unwrap();
    Model::new(config, &reader.finish().unwrap()).unwrap()
}

/// The weights that TransformerLens wrote, if it has such a model.
fn of_transformer_lens(fixture: &Fixture) -> Option<HashMap<String, Tensor>> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture.name);
    let files = ["weights.safetensors", "transformer_lens.safetensors"];
    let file = files.iter().map(|name| folder.join(name)).find(|path| path.exists())?;
    let constants = [".mask", ".IGNORE"];
    let mut found = tensors(&std::fs::read(file).unwrap());
    found.retain(|name, _| !constants.iter().any(|end| name.ends_with(end)));
    Some(found)
}

fn logits(model: &Model, tokens: &[u32], interventions: Vec<Intervention>) -> Tensor {
    let options = RunOptions { interventions, ..RunOptions::default() };
    run(model, tokens, &options).unwrap().logits().unwrap().clone()
}

fn new(name: &str, weight: &Weight) -> NewWeight {
    NewWeight {
        name: name.into(),
        shape: weight.tensor.dims().to_vec(),
        data: numbers(&weight.tensor),
        axes: Some(weight.axes.iter().map(|axis| axis.to_string()).collect()),
    }
}

/// Every name of a weight of this model: the checkpoint's and TransformerLens's.
fn every_weight(model: &Model) -> Vec<String> {
    let parameters = model.parameters().iter();
    let names = |parameter: &candlescope::Parameter| {
        let views: Vec<String> = parameter.views.iter().map(|view| view.name.clone()).collect();
        [vec![parameter.name.clone()], views].concat()
    };
    parameters.flat_map(names).collect()
}

/// The message of an [`Error::Input`].
fn message(error: Error) -> String {
    match error {
        Error::Input(message) => message,
        other => panic!("{other}"),
    }
}

fn error(model: &Model, name: &str, options: &ParameterOptions) -> String {
    message(parameter(model, name, options).expect_err(name))
}

#[test]
fn checkpoint_names_give_the_bits_of_the_file() {
    for fixture in every_fixture() {
        let model = fixture.model();
        let file = candle_core::safetensors::load_buffer(fixture.weights, &Device::Cpu).unwrap();
        for (key, stored) in &file {
            let expected = &stored.to_dtype(DType::F32).unwrap(); // halves are exact in f32
            let name = key.strip_prefix("transformer.").unwrap_or(key);
            if name.ends_with("attn.bias") || name.ends_with("masked_bias") {
                continue; // masks of old files
            }
            for format in [WeightFormat::Plain, WeightFormat::F32] {
                let found = read(&model_in(fixture, format), name);
                let what = format!("{}: {name}", fixture.name);
                assert_same_bits(&what, &found.tensor, expected);
                assert_eq!(found.axes.len(), expected.rank(), "{what}");
                assert_eq!(found.note, None, "{what}");
            }
        }
        let listed = model.parameters().iter();
        listed.for_each(|one| assert_eq!(one.axes.len(), one.shape.len(), "{}", one.name));
    }
}

#[test]
fn names_of_transformer_lens_give_its_bits_and_shapes() {
    let mut compared = 0;
    for fixture in every_fixture() {
        let Some(expected) = of_transformer_lens(fixture) else { continue };
        let model = fixture.model();
        for (name, expected) in expected {
            let found = read(&model, &name);
            assert_same_bits(&format!("{}: {name}", fixture.name), &found.tensor, &expected);
            compared += 1;
        }
    }
    assert!(compared > 150, "{compared} weights");
}

#[test]
fn views_have_the_shape_that_the_list_of_parameters_says() {
    for fixture in every_fixture() {
        let model = fixture.model();
        for parameter in model.parameters() {
            for view in &parameter.views {
                let found = read(&model, &view.name);
                assert_eq!(found.tensor.dims(), view.shape, "{}", view.name);
                assert_eq!(found.axes, view.axes, "{}", view.name);
            }
        }
    }
}

#[test]
fn a_part_equals_the_same_part_of_the_whole() {
    let model = Fixture::plain().model();
    let (heads, layers) = (model.config().n_head, model.config().n_layer);
    let whole = read(&model, "W_Q");
    assert_eq!(whole.axes, ["layer", "head", "d_model", "d_head"]);
    let last = |choice| ParameterOptions { layer: Some(choice), ..ParameterOptions::default() };
    let layer = parameter(&model, "W_Q", &last(Choice::One(-1))).unwrap();
    assert_eq!(layer.axes, ["head", "d_model", "d_head"]);
    assert_same_bits("layer", &layer.tensor, &whole.tensor.get(layers - 1).unwrap());
    let list = parameter(&model, "W_Q", &last(Choice::Many(vec![1, 0]))).unwrap();
    assert_eq!(list.axes, ["layer", "head", "d_model", "d_head"]);
    assert_same_bits("list", &list.tensor.get(1).unwrap(), &whole.tensor.get(0).unwrap());

    let head = ParameterOptions { head: Some(Choice::One(-1)), ..ParameterOptions::default() };
    let found = parameter(&model, "blocks.0.attn.W_O", &head).unwrap();
    assert_eq!(found.axes, ["d_head", "d_model"]);
    let expected = read(&model, "blocks.0.attn.W_O").tensor.get(heads - 1).unwrap();
    assert_same_bits("head", &found.tensor, &expected);

    for format in [WeightFormat::Plain, WeightFormat::F32, WeightFormat::Q8] {
        let model = model_in(Fixture::plain(), format);
        let tokens = ParameterOptions {
            vocab: Some(Choice::Many(vec![3, -1])),
            ..ParameterOptions::default()
        };
        let rows = parameter(&model, "W_E", &tokens).unwrap();
        let columns = parameter(&model, "W_U", &tokens).unwrap();
        assert_eq!((rows.axes, columns.axes), (vec!["vocab", "d_model"], vec!["d_model", "vocab"]));
        assert_same_bits("tied", &rows.tensor, &columns.tensor.t().unwrap().contiguous().unwrap());
        let whole = read(&model, "W_E").tensor;
        assert_same_bits("row", &rows.tensor.get(0).unwrap(), &whole.get(3).unwrap());
        let number = ParameterOptions {
            vocab: Some(Choice::One(3)),
            d_model: Some(Choice::One(2)),
            ..ParameterOptions::default()
        };
        let number = parameter(&model, "W_U", &number).unwrap();
        assert_eq!(number.axes, [] as [&str; 0]);
        let expected = whole.get(3).unwrap().get(2).unwrap();
        assert_same_bits("number", &number.tensor, &expected);
    }
}

#[test]
fn rounded_weights_say_so_and_are_those_that_the_model_computes_with() {
    for (format, words) in [
        (WeightFormat::F16, "rounded to f16: to 11 significant bits"),
        (WeightFormat::Q8, "rounded to q8: to 8 bits, scaled in blocks of 64"),
        (WeightFormat::Q4, "rounded to q4: to 4 bits, scaled in blocks of 32"),
    ] {
        let model = model_in(Fixture::plain(), format);
        assert_eq!(read(&model, "blocks.1.mlp.W_in").note.as_deref(), Some(words));
        assert_eq!(read(&model, "blocks.1.mlp.b_in").note, None, "vectors stay f32");
        // An embedding is a row of the matrix.
        let embed = candlescope::run_with_cache(&model, &[7], &["hook_embed"]).unwrap();
        let row = read(&model, "W_E").tensor.get(7).unwrap();
        let embed = embed.cache.get("hook_embed").unwrap().flatten_all().unwrap();
        assert_same_bits(words, &row, &embed);
    }
}

#[test]
fn zeros_that_no_file_holds_say_so() {
    let found = read(&Fixture::plain().model(), "unembed.b_U");
    assert!(numbers(&found.tensor).iter().all(|value| *value == 0.0));
    assert_eq!(found.note.as_deref(), Some("zeros: the logits of this model have no bias"));
}

#[test]
fn wrong_names_and_indices_say_what_is_right() {
    let plain = Fixture::plain().model();
    let none = ParameterOptions::default();
    assert_eq!(
        error(&plain, "W_q", &none),
        "there is no weight `W_q`; the nearest are `W_Q`, `W_E`, `W_K`"
    );
    assert_eq!(
        error(&plain, "blocks.9.attn.W_Q", &none),
        "there is no weight `blocks.9.attn.W_Q`: the model has 2 layers, counted from 0"
    );
    let head = ParameterOptions { head: Some(Choice::One(9)), ..ParameterOptions::default() };
    assert_eq!(
        error(&plain, "blocks.0.attn.W_Q", &head),
        "`head` 9 is out of range, expected -3 to 2"
    );
    assert_eq!(
        error(&plain, "W_E", &head),
        "`embed.W_E` has no axis `head`, its axes are vocab, d_model"
    );
    let empty =
        ParameterOptions { head: Some(Choice::Many(vec![])), ..ParameterOptions::default() };
    assert_eq!(error(&plain, "W_Q", &empty), "`head` is an empty list, expected indices");
    for (toy, name, reason) in [
        ("toy_attn", "blocks.0.mlp.W_in", "this model has attention only"),
        ("toy_no_positions", "W_pos", "this model has no positions"),
        ("toy_sinusoidal", "W_pos", "the positions of this model are sines and cosines"),
        ("toy_linear", "blocks.0.ln1.w", "the normalization of this model has no weights"),
    ] {
        let fixture = TOYS.iter().find(|fixture| fixture.name == toy).unwrap();
        let message = error(&fixture.model(), name, &none);
        assert!(message.contains(reason), "{toy}: {message}");
    }
}

#[test]
fn replacing_each_weight_by_itself_changes_no_bit() {
    for fixture in every_fixture() {
        let (model, tokens) = (fixture.model(), fixture.expected().tokens);
        let expected = logits(&model, &tokens, vec![]);
        for name in every_weight(&model) {
            let (same, report) =
                with_parameters(&model, &[new(&name, &read(&model, &name))]).unwrap();
            let what = format!("{}: {name}", fixture.name);
            assert_same_bits(&what, &logits(&same, &tokens, vec![]), &expected);
            assert!(report.notices().iter().all(|notice| notice.kind == NoticeKind::Replaced));
        }
    }
}

#[test]
fn a_head_without_output_equals_the_intervention_that_zeroes_it() {
    for fixture in every_fixture() {
        let (model, tokens) = (fixture.model(), fixture.expected().tokens);
        let mut weight = new("blocks.1.attn.W_O", &read(&model, "blocks.1.attn.W_O"));
        let head = weight.data.len() / model.config().n_head;
        weight.data[..head].fill(0.0);
        let (without, _) = with_parameters(&model, &[weight]).unwrap();
        let zero = r#"{"at":"blocks.1.attn.hook_z","head":0,"do":"zero"}"#;
        let zero = vec![Intervention::from_json(zero).unwrap()];
        // A product with a row of zeros and one with zeros in its place are the same sums.
        let expected = logits(&model, &tokens, zero);
        assert_close(fixture.name, &logits(&without, &tokens, vec![]), &expected);
        let changed = numbers(&logits(&model, &tokens, vec![])) != numbers(&expected);
        assert!(changed, "{}: the head does something", fixture.name);
    }
}

#[test]
fn the_weights_that_stay_are_shared() {
    let model = model_in(Fixture::plain(), WeightFormat::Plain);
    let (other, _) = with_parameters(&model, &[new("W_pos", &read(&model, "W_pos"))]).unwrap();
    for (name, is_shared) in
        [("h.0.mlp.c_fc.weight", true), ("ln_f.bias", true), ("wpe.weight", false)]
    {
        let [before, after] = [&model, &other].map(|model| model.weight(name).unwrap().id());
        assert_eq!(before == after, is_shared, "{name}");
    }
}

#[test]
fn replacing_one_of_two_tied_matrices_unties_them() {
    let (model, tokens) = (Fixture::plain().model(), Fixture::plain().expected().tokens);
    let scaled = |name: &str| {
        let weight = read(&model, name);
        NewWeight {
            data: numbers(&weight.tensor).iter().map(|x| 2.0 * x).collect(),
            ..new(name, &weight)
        }
    };
    let expected = logits(&model, &tokens, vec![]);
    // Twice the unembedding gives twice the logits, exactly.
    let (unembed, report) = with_parameters(&model, &[scaled("W_U")]).unwrap();
    let twice = (expected * 2.0).unwrap();
    assert_same_bits("W_U", &logits(&unembed, &tokens, vec![]), &twice);
    assert!(!unembed.config().tie_word_embeddings);
    assert!(report.notices().iter().any(|notice| notice.message.contains("are two")));
    assert_same_bits("W_E", &read(&unembed, "W_E").tensor, &read(&model, "W_E").tensor);

    let (embed, _) = with_parameters(&model, &[scaled("W_E")]).unwrap();
    assert_same_bits("W_U", &read(&embed, "W_U").tensor, &read(&model, "W_U").tensor);
    // The checkpoint's matrix stays both.
    let (both, _) = with_parameters(&model, &[scaled("wte.weight")]).unwrap();
    assert!(both.config().tie_word_embeddings);
    let [e, u] = ["W_E", "W_U"].map(|name| read(&both, name).tensor);
    assert_same_bits("wte", &e, &u.t().unwrap().contiguous().unwrap());
}

#[test]
fn a_bias_of_the_logits_can_be_added() {
    let (model, tokens) = (Fixture::plain().model(), Fixture::plain().expected().tokens);
    let bias = read(&model, "b_U");
    let ones = NewWeight { data: vec![1.0; bias.tensor.elem_count()], ..new("b_U", &bias) };
    let (other, _) = with_parameters(&model, &[ones]).unwrap();
    let expected = (logits(&model, &tokens, vec![]) + 1.0).unwrap();
    assert_close("b_U", &logits(&other, &tokens, vec![]), &expected);
}

#[test]
fn replaced_matrices_of_a_rounded_model_are_f32() {
    let model = model_in(Fixture::plain(), WeightFormat::Q8);
    let weight = new("W_pos", &read(&model, "W_pos"));
    let (_, report) = with_parameters(&model, &[weight]).unwrap();
    assert_eq!(report.notices()[0].message, "`pos_embed.W_pos` was replaced by `withParameters`.");
    let name = "blocks.0.mlp.W_in";
    let exact = read(&Fixture::plain().model(), name);
    let (other, report) = with_parameters(&model, &[new(name, &exact)]).unwrap();
    assert_same_bits(name, &read(&other, name).tensor, &exact.tensor);
    assert_eq!(
        report.notices()[0].message,
        "`blocks.0.mlp.W_in` was replaced by `withParameters`. `h.0.mlp.c_fc.weight` is kept in f32; it was q8. \
         Products in f32 differ from those in q8, also with the same numbers."
    );
    let of = |model: &Model| {
        model.parameters().iter().find(|one| one.name == "h.0.mlp.c_fc.weight").unwrap().dtype
    };
    assert_eq!((of(&model), of(&other)), ("q8", "f32"));
}

#[test]
fn what_stays_rounded_beside_a_replaced_part_says_so() {
    let model = model_in(Fixture::plain(), WeightFormat::Q8);
    let name = "blocks.0.attn.W_Q";
    let (other, _) = with_parameters(&model, &[new(name, &read(&model, name))]).unwrap();
    let (rounded, partly) = (
        "rounded to q8: to 8 bits, scaled in blocks of 64",
        ", but for the parts of `h.0.attn.c_attn.weight` that `withParameters` replaced",
    );
    for part in ["blocks.0.attn.W_K", "h.0.attn.c_attn.weight"] {
        assert_eq!(read(&other, part).note.unwrap(), format!("{rounded}{partly}"));
    }
    assert_eq!(read(&other, "blocks.1.attn.W_K").note.unwrap(), rounded);
    let stacked = read(&other, "W_K").note.unwrap();
    assert!(stacked.starts_with(&format!("blocks.0.attn.W_K: {rounded}{partly}; ")), "{stacked}");
    let (again, _) =
        with_parameters(&other, &[new("blocks.0.attn.W_V", &read(&other, "blocks.0.attn.W_V"))])
            .unwrap();
    assert_eq!(read(&again, "blocks.0.attn.W_K").note.unwrap(), format!("{rounded}{partly}"));
    let whole = new("h.0.attn.c_attn.weight", &read(&other, "h.0.attn.c_attn.weight"));
    let (whole, _) = with_parameters(&other, &[whole]).unwrap();
    assert_eq!(read(&whole, "blocks.0.attn.W_K").note, None);
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let model = Fixture::plain().model();
    let weight = read(&model, "blocks.0.attn.W_Q");
    let right = new("blocks.0.attn.W_Q", &weight);
    let refused = |new: &[NewWeight]| message(with_parameters(&model, new).err().unwrap());
    let axes = Some(["d_model", "head", "d_head"].map(String::from).to_vec());
    assert_eq!(
        refused(&[NewWeight { axes, ..right.clone() }]),
        "`blocks.0.attn.W_Q` has the axes d_model, head, d_head, expected head, d_model, d_head in this order"
    );
    let message = refused(&[NewWeight { shape: vec![1], ..right.clone() }]);
    assert!(message.starts_with("`blocks.0.attn.W_Q` has shape [1], expected ["), "{message}");
    let message = refused(&[NewWeight { data: vec![1.0], ..right.clone() }]);
    assert!(message.starts_with("`blocks.0.attn.W_Q` has 1 numbers, expected "), "{message}");
    let whole = new("h.0.attn.c_attn.weight", &read(&model, "h.0.attn.c_attn.weight"));
    assert_eq!(
        refused(&[right.clone(), whole]),
        "`h.0.attn.c_attn.weight` and `blocks.0.attn.W_Q` are the same numbers of `h.0.attn.c_attn.weight`: leave one of \
         them out"
    );
    let keys = new("blocks.0.attn.W_K", &read(&model, "blocks.0.attn.W_K"));
    assert!(
        with_parameters(&model, &[right.clone(), keys]).is_ok(),
        "queries and keys are different numbers"
    );
    let mut nan = right;
    nan.data[0] = f32::NAN;
    let (_, report) = with_parameters(&model, &[nan]).unwrap();
    assert!(report.notices().iter().any(|notice| notice.kind == NoticeKind::NonFinite));
}

#[test]
fn a_model_with_other_weights_can_be_transformed() {
    let (model, tokens) = (Fixture::plain().model(), Fixture::plain().expected().tokens);
    let weight = read(&model, "W_pos");
    let data = numbers(&weight.tensor).iter().map(|x| 0.5 * x).collect();
    let (other, _) =
        with_parameters(&model, &[NewWeight { data, ..new("W_pos", &weight) }]).unwrap();
    let folded = candlescope::transform::fold_ln(&other).unwrap();
    let expected = logits(&other, &tokens, vec![]);
    assert_close("fold_ln", &logits(&folded, &tokens, vec![]), &expected);
}
