//! Tests of the strategy `class-statistics`.

use alluvium_strategy::conformance;

use super::*;

#[test]
fn conforms() {
    conformance::check("class-statistics");
    let cases = [
        serde_json::json!({"covariance": "tied"}),
        serde_json::json!({"covariance": "none", "projection": "random-linear", "size": 7}),
        serde_json::json!({"features": "centre-latents", "projection": "none"}),
        serde_json::json!({"epsilon": 10.0}),
    ];
    for options in cases {
        conformance::check_config(&serde_json::from_value::<ClassStatisticsConfig>(options).unwrap());
    }
}
