//! Tests of the strategy `analytic`.

use alluvium_model::{Answers, Seed};
use alluvium_strategy::{
    Context, Expert, ProtocolTerms, StrategyState, conformance, strategy, take_head, with_unknown_task,
};
use burn::tensor::Device;

use super::*;

#[test]
fn conforms() {
    conformance::check("analytic");
    for projection in ["none", "random-linear", "principal-components"] {
        let options = serde_json::json!({"projection": projection, "size": 12, "ridge": 0.1});
        conformance::check_config(&serde_json::from_value::<AnalyticConfig>(options).unwrap());
    }
}

/// The central model after these experts came in rounds of these sizes. `visits` is how often a device may take part.
fn after(options: serde_json::Value, experts: &[Expert], rounds: &[usize], visits: usize) -> ModelState {
    let config: AnalyticConfig = serde_json::from_value(options).unwrap();
    let terms = ProtocolTerms {
        name: "federated".to_owned(),
        data_access: DataAccess::None,
        statistics: true,
        rounds: rounds.len(),
        experts_at_a_time: 3,
        visits_per_device: visits,
    };
    let run = RunDescription { protocol: Some(terms), ..conformance::run_description() };
    let mut strategy = config.build(&run).unwrap();
    let (mut central, mut first) = (conformance::central(&[], 0), 0);
    for round in rounds {
        let sent: Vec<_> =
            experts[first..first + round].iter().map(|expert| conformance::sent(&config, expert)).collect();
        let beside = conformance::handed_beside(&config, &sent[0].model);
        let mut context = Context::new(&Device::flex(), Seed::new(0), first).with_beside(&beside);
        central = strategy.consolidate_round(&central, &sent.iter().collect::<Vec<_>>(), &mut context).unwrap();
        first += round;
    }
    central
}

/// The largest difference between the classifiers of two models.
fn difference(one: &ModelState, other: &ModelState) -> f64 {
    let (one, other) = (one.across_weights(), other.across_weights());
    let mut largest = 0.0_f64;
    one.combine(&other, |one, other| one - other).unwrap().iter().for_each(|(_, tensor)| {
        largest = tensor.numbers.exact().iter().fold(largest, |largest, value| largest.max(value.abs()));
    });
    largest
}

fn device(name: &str, number: usize) -> Expert {
    let mut expert = conformance::expert(name, 1 + number as u64);
    expert.manifest.task = number;
    expert
}

#[test]
fn order_and_rounds_do_not_matter_and_no_device_counts_twice() {
    let options = || serde_json::json!({"projection": "random-linear", "size": 6, "ridge": 0.01});
    let [a, b, c] = [device("a", 0), device("b", 1), device("c", 2)];
    let expected = after(options(), &[a.clone(), b.clone(), c.clone()], &[1, 1, 1], 1);
    assert_eq!(expected.across.as_ref().unwrap().classes.len(), 6);
    let backwards = after(options(), &[c.clone(), b.clone(), a.clone()], &[1, 1, 1], 1);
    assert!(difference(&expected, &backwards) < 1e-6);
    let together = after(options(), &[b.clone(), a.clone(), c.clone()], &[3], 1);
    assert!(difference(&expected, &together) < 1e-6);
    // The same devices in two rounds: newer statistics replace the older ones.
    let again = after(options(), &[a.clone(), b.clone(), b.clone(), c, a.clone()], &[2, 3], 2);
    assert!(difference(&expected, &again) < 1e-6);
    let twice = after(options(), &[a.clone(), b.clone(), b, a], &[2, 2], 1);
    let once = after(options(), &[device("a", 0), device("b", 1)], &[2], 1);
    // Where a device visits once, the same number is another device: both count, and doubled sums give the same solution.
    assert!(difference(&once, &twice) < 1e-5);
}

#[test]
fn classes_of_few_samples_are_left_out_and_named() {
    let config: AnalyticConfig = serde_json::from_value(serde_json::json!({"smallest_class": 6})).unwrap();
    let expert = conformance::sent(&config, &device("a", 0));
    let beside = conformance::handed_beside(&config, &expert.model);
    let mut context = Context::new(&Device::flex(), Seed::new(0), 0).with_beside(&beside);
    let mut strategy = config.build(&conformance::run_description()).unwrap();
    // The samples of the conformance tests have five of each of two classes.
    let central = strategy.consolidate(&conformance::central(&[], 0), &expert, &mut context).unwrap();
    assert!(central.across.is_none(), "the heads answer");
    let [note] = context.notes() else { panic!("{:?}", context.notes()) };
    assert!(note.contains("fewer than 6") && note.contains(&expert.manifest.task_name), "{note}");
}

#[test]
fn statistics_of_another_network_are_refused() {
    let config: AnalyticConfig = serde_json::from_value(serde_json::json!({"features": "first-backbone"})).unwrap();
    let [first, second] = [device("a", 0), device("b", 1)].map(|expert| conformance::sent(&config, &expert));
    let mut strategy = config.build(&conformance::run_description()).unwrap();
    let context = || Context::new(&Device::flex(), Seed::new(0), 0);
    let central = strategy.consolidate(&conformance::central(&[], 0), &first, &mut context()).unwrap();
    assert!(central.has_the_backbone_of(&first.model) && central.weights.get("across.bias").is_some());
    // The second device of the conformance tests took the initial model, as a device that is under way early does.
    let error = strategy.consolidate(&central, &second, &mut context()).unwrap_err().to_string();
    assert!(error.contains("another network than the first device's"), "{error}");
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let refused = |options: serde_json::Value, run: RunDescription, words: &str| {
        let config: AnalyticConfig = serde_json::from_value(options).unwrap();
        let error = config.validate(&run).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let alone = conformance::run_description;
    refused(serde_json::json!({"ridge": 1.0, "epsilon": 1.0}), alone(), "`ridge`");
    refused(serde_json::json!({"delta": 1e-6}), alone(), "`delta`");
    refused(serde_json::json!({"finds": "task"}), alone(), "`finds`");
    let beside = RunDescription { across_only: true, ..alone() };
    refused(serde_json::json!({"features": "first-backbone"}), beside, "another strategy moves it");
    refused(serde_json::json!({"features": "centre-latents", "projection": "random-relu"}), alone(), "`projection`");
}

/// A strategy with this one for samples of an unknown task passes the tests of strategies, too.
#[test]
fn conforms_beside_another_strategy() {
    let network = || serde_json::from_value(serde_json::json!({"kind": "analytic"})).unwrap();
    let across = || serde_json::from_value(serde_json::json!({"kind": "analytic", "projection": "none"})).unwrap();
    // Both ask for the same statistic, so the pair is refused.
    let twice = with_unknown_task(network(), across()).unwrap();
    let error = twice.validate(&conformance::run_description()).unwrap_err().to_string();
    assert!(error.contains("class-sums"), "{error}");
}

/// The newest expert, and how many there were.
#[strategy(kind = "analytic-test-newest")]
struct Newest {
    #[state]
    experts: u32,
}

impl Strategy for Newest {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        assert!(previous.across.is_none(), "the strategy of the network sees no classifier across tasks");
        self.experts += 1;
        let mut central = previous.with_backbone_weights(expert.model.backbone_weights());
        take_head(&mut central, expert);
        Ok(central)
    }

    fn state(&self) -> StrategyState {
        StrategyState { values: [("experts".to_owned(), self.experts.into())].into(), ..Default::default() }
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.experts = state.values.get("experts").and_then(|count| count.as_u64()).unwrap() as u32;
        assert_eq!(state.values.len(), 1, "each strategy gets its own state only");
        Ok(())
    }
}

#[test]
fn beside_another_strategy_the_heads_answer_where_the_task_is_known() {
    let config = |finds: &str| {
        let across = serde_json::json!({"kind": "analytic", "projection": "random-linear", "size": 6, "finds": finds});
        let network = Box::new(Newest::default());
        with_unknown_task(network, serde_json::from_value(across).unwrap()).unwrap()
    };
    let run = conformance::run_description();
    let mut last = vec![];
    for (finds, answers) in [("class", Answers::UnknownTask), ("task", Answers::WhichTask)] {
        let config = config(finds);
        let written = serde_json::to_value(&config).unwrap();
        assert_eq!(
            (written["kind"].as_str(), written["unknown_task"]["kind"].as_str()),
            (Some("analytic-test-newest"), Some("analytic"))
        );
        config.validate(&run).unwrap();
        // Resumed from its state before every device, it gives the same models.
        for resumes in [false, true] {
            let mut strategy = config.build(&run).unwrap();
            let mut central = conformance::central(&[], 0);
            for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
                if resumes {
                    let state = strategy.state();
                    strategy = config.build(&run).unwrap();
                    strategy.restore(state).unwrap();
                }
                let expert = conformance::sent(config.as_ref(), &device(name, number));
                let beside = conformance::handed_beside(config.as_ref(), &expert.model);
                let mut context = Context::new(&Device::flex(), Seed::new(0), number).with_beside(&beside);
                central = strategy.consolidate(&central, &expert, &mut context).unwrap();
                assert_eq!(central.backbone_weights(), expert.model.backbone_weights());
            }
            assert_eq!(central.across.as_ref().unwrap().answers, answers);
            assert_eq!((central.heads.len(), central.across.as_ref().unwrap().classes.len()), (3, 6));
            last.push(central.digest());
        }
    }
    assert_eq!((&last[0], &last[2]), (&last[1], &last[3]), "a pair resumes from its state");

    let no = with_unknown_task(Box::new(Newest::default()), Box::new(Newest::default())).unwrap_err().to_string();
    assert!(no.contains("\"analytic-test-newest\" makes no classifier"), "{no}");
}
