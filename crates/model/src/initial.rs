//! Initial weights from a seed.

use rand::{Rng, RngExt};

use crate::{Random, Values, Weights};

/// Redraws a module's weights as burn's and PyTorch's own layers draw them, biases zero.
///
/// Tensors of two and more dimensions are drawn from U(−b, b) with b = 1/√fan-in: He's uniform initialisation (He et al.,
/// "Delving deep into rectifiers", ICCV 2015) with the gain 1/√3 that both libraries use. Fan-in is the first size of a matrix
/// `[in, out]` (burn's layout), and the product of all sizes except the first of a kernel `[out, in, height, width]`. Vectors
/// named `bias` become zero. Other vectors (gains, shifts and statistics of a normalisation) keep the constants that the module
/// was built with.
pub fn initial_weights(built: &Weights, random: &mut Random) -> Weights {
    let redrawn = built.iter().map(|(name, tensor)| {
        let count = tensor.len();
        let values = match tensor.shape.as_slice() {
            [_] if is_bias(name) => vec![0.0; count],
            [] | [_] => return (name.to_owned(), tensor.clone()),
            [fan_in, _] => uniform(count, (*fan_in as f32).sqrt().recip(), random),
            [_, inner @ ..] => uniform(count, (inner.iter().product::<usize>() as f32).sqrt().recip(), random),
        };
        (name.to_owned(), Values::new(tensor.shape.clone(), values))
    });
    redrawn.collect()
}

/// Initial weights of a linear layer `[inputs, outputs]` that ends a network: U(−b, b) with b = 1/√inputs, bias zero.
pub fn initial_linear(inputs: usize, outputs: usize, random: &mut Random) -> Weights {
    let weight = uniform(inputs * outputs, (inputs as f32).sqrt().recip(), random);
    let tensors = [
        ("weight".to_owned(), Values::new(vec![inputs, outputs], weight)),
        ("bias".to_owned(), Values::new(vec![outputs], vec![0.0; outputs])),
    ];
    tensors.into_iter().collect()
}

fn is_bias(name: &str) -> bool {
    name.rsplit('.').next() == Some("bias")
}

fn uniform(count: usize, bound: f32, random: &mut impl Rng) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-bound..=bound)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn draws_stay_within_the_bound_and_fill_it() {
        let built: Weights = [
            ("conv.weight".to_owned(), Values::new(vec![8, 3, 3, 3], vec![0.0; 216])),
            ("conv.bias".to_owned(), Values::new(vec![8], vec![9.0; 8])),
            ("norm.gamma".to_owned(), Values::new(vec![8], vec![1.0; 8])),
        ]
        .into_iter()
        .collect();
        let drawn = initial_weights(&built, &mut Seed::new(0).random());
        let kernel = drawn.get("conv.weight").unwrap().as_f32().unwrap();
        let bound = (1.0f32 / 27.0).sqrt();
        assert!(kernel.iter().all(|value| value.abs() <= bound));
        // U(−b, b) has the standard deviation b/√3; 216 draws come within a tenth of it.
        let deviation = (kernel.iter().map(|v| v * v).sum::<f32>() / 216.0).sqrt();
        assert!((deviation / (bound / 3.0f32.sqrt()) - 1.0).abs() < 0.1, "{deviation}");
        assert_eq!(drawn.get("conv.bias").unwrap().as_f32().unwrap(), [0.0; 8]);
        assert_eq!(drawn.get("norm.gamma").unwrap().as_f32().unwrap(), [1.0; 8]);
    }
}
