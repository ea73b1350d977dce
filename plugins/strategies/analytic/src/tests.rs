use alluvium_strategy::conformance;

use super::*;

#[test]
fn conforms() {
    conformance::check("analytic");
    for projection in ["none", "random-linear", "principal-components"] {
        let options = serde_json::json!({"projection": projection, "size": 12, "ridge": 0.1});
        conformance::check_config(&serde_json::from_value::<AnalyticConfig>(options).unwrap());
    }
}
