//! How positions enter the model.

use candle_core::{Device, Tensor};

use super::tap::Tap;
use crate::checkpoint::{Config, PositionEmbedding, Weights};
use crate::error::{Error, Result};
use crate::hook::HookPoint;

/// A vector for each position, `[n_positions, D]`, and where it is added.
pub(super) enum Positions {
    /// To the token embeddings, in the residual stream.
    Stream(Tensor),
    /// To what queries and keys read after ln_1, in each block. The residual stream has no positions, so values do not
    /// have them either (Press et al. 2021, *Shortformer*).
    QueriesAndKeys(Tensor),
    /// Nowhere: only the causal mask depends on the position.
    None,
}

impl Positions {
    pub(super) fn load(weights: &Weights, config: &Config) -> Result<Positions> {
        Ok(match config.position_embedding {
            PositionEmbedding::Learned => Positions::Stream(weights.get("wpe.weight")?),
            PositionEmbedding::Sinusoidal => {
                Positions::Stream(sinusoidal(config.n_positions, config.n_embd)?)
            }
            PositionEmbedding::Shortformer => Positions::QueriesAndKeys(weights.get("wpe.weight")?),
            PositionEmbedding::None => Positions::None,
        })
    }

    /// The token embeddings `[B, T, D]` with their positions, if these are in the residual stream.
    pub(super) fn add_to_stream(&self, embed: Tensor, tap: &mut Tap) -> Result<Tensor> {
        match self {
            Positions::Stream(table) => Ok((&embed + rows(table, &embed, tap)?)?),
            Positions::QueriesAndKeys(_) | Positions::None => Ok(embed),
        }
    }

    /// What queries and keys add to their input in every block: `[B, T, D]`, for a residual stream `x` `[B, T, D]`.
    pub(super) fn of_queries_and_keys(&self, x: &Tensor, tap: &mut Tap) -> Result<Option<Tensor>> {
        match self {
            Positions::QueriesAndKeys(table) => rows(table, x, tap).map(Some),
            Positions::Stream(_) | Positions::None => Ok(None),
        }
    }
}

/// The rows of `table` at the positions of `like` `[B, T, D]`, for each text: the same shape.
fn rows(table: &Tensor, like: &Tensor, tap: &mut Tap) -> Result<Tensor> {
    let n_positions = table.dim(0)?;
    let rows = tap.rows().map(|row| {
        let last = row.first_position + row.length;
        if last > n_positions {
            return Err(Error::context_too_long(last, n_positions)); // a run that starts at a layer
        }
        Ok(table.narrow(0, row.first_position, row.length)?.unsqueeze(0)?)
    })?; // [1, T, D]
    tap.at(HookPoint::PosEmbed, rows.broadcast_as(like.shape())?.contiguous()?)
}

/// `PE[p, 2i] = sin(p / 10000^(2i/D))`, `PE[p, 2i+1] = cos(p / 10000^(2i/D))`: Vaswani et al. 2017, *Attention Is All
/// You Need*, section 3.5. Computed in f64, because an f32 angle of 1000 is exact only to 6e-5.
fn sinusoidal(length: usize, width: usize) -> Result<Tensor> {
    let value = |position: usize, column: usize| {
        let exponent = (column - column % 2) as f64 / width as f64;
        let angle = position as f64 / 10_000f64.powf(exponent);
        (if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    let mut values = Vec::new();
    values.try_reserve_exact(length.saturating_mul(width)).map_err(|_| {
        Error::Memory(format!(
            "the table of {length} positions cannot be allocated here; load the model with a smaller `n_positions` in \
             the option `config`"
        ))
    })?;
    for position in 0..length {
        values.extend((0..width).map(|column| value(position, column)));
    }
    Ok(Tensor::from_vec(values, (length, width), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sines_and_cosines_alternate() {
        let table = sinusoidal(3, 4).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(table[0], [0.0, 1.0, 0.0, 1.0]);
        // sin 2, cos 2, sin 0.02, cos 0.02
        let expected = [0.909_297_4, -0.416_146_84, 0.019_998_67, 0.999_8];
        assert!(table[2].iter().zip(expected).all(|(found, value)| (found - value).abs() < 1e-7));
    }
}
