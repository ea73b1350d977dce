//! Devices that come back: the sequence of tasks is repeated.

use super::{Share, deal};

/// Repeats the tasks of one round. Each round has its own part of the training samples of every class. `labels` are
/// those of all training samples.
pub(super) fn repeat(shares: Vec<Share>, rounds: usize, labels: &[usize]) -> Vec<Share> {
    if rounds == 1 {
        return shares;
    }
    let parts = |share: &Share| deal::in_turn(labels, share.train.clone(), rounds, share.seed.of("rounds"));
    let parts: Vec<_> = shares.iter().map(parts).collect();
    let in_round = |round: usize| {
        let each = shares.iter().zip(&parts);
        each.map(move |(share, parts)| Share {
            name: match round {
                0 => share.name.clone(),
                _ => format!("{} (round {})", share.name, round + 1),
            },
            train: parts[round].clone(),
            seed: match round {
                0 => share.seed,
                _ => share.seed.at("round", round),
            },
            ..share.clone()
        })
    };
    (0..rounds).flat_map(in_round).collect()
}
