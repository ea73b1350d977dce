//! Rules about devices: whether they fit the experiment, and give what strategies and protocols ask of them.

use alluvium_device::{DeviceConfig, DeviceRun, DeviceStart};
use alluvium_strategy::DataAccess;
use serde_json::Value;

use super::Verdict;
use crate::experiment::{Experiment, StrategyRow, same_devices};
use crate::protocol::ProtocolKind;
use crate::read::inputs::augmentation_misfit;

impl Verdict {
    /// Checks the devices of the experiment and of its rows.
    pub(super) fn devices_fit(&mut self, experiment: &Experiment, run: &DeviceRun<'_>) {
        let (written, stream) = (&experiment.written_out, experiment.stream.typetag_name());
        self.device_fits(&*experiment.device, stream, run, &["device"], &written["device"]);
        for (index, row) in experiment.strategies.iter().enumerate() {
            let own = !same_devices(&*row.device, &*experiment.device);
            let (number, table) = (index.to_string(), &written["strategies"][index]["device"]);
            let path = ["strategies", &number, "device"];
            if own {
                self.device_fits(&*row.device, stream, run, &path, table);
            }
            let (row_device, common) = (&row.device, &experiment.device);
            if row_device.tasks() != common.tasks() || row_device.start() != common.start() {
                let message = "the row's devices have other tasks than those of the experiment, or start from another \
                               model; accepted: devices with the same tasks and the same start";
                self.wrong(&path, message.to_owned());
            }
            self.devices_serve(index, row);
        }
        if experiment.device.start() == DeviceStart::Initial && experiment.initial.is_none() {
            let message = format!(
                "the devices \"{}\" have experts that come from an initial model, but there is no [initial] table; \
                 accepted: [initial] with the `file` that the experts were trained from",
                experiment.device.typetag_name()
            );
            self.wrong(&["device", "kind"], message);
        }
        if experiment.device.training().is_none() && !experiment.evaluation.budgets.is_empty() {
            let message = format!(
                "`budgets` needs devices that train in this process, but the devices \"{}\" do not; accepted: no `budgets`",
                experiment.device.typetag_name()
            );
            self.wrong(&["evaluation", "budgets"], message);
        }
    }

    /// Checks the options of one kind of devices.
    fn device_fits(
        &mut self,
        device: &dyn DeviceConfig,
        stream: &str,
        run: &DeviceRun<'_>,
        path: &[&str],
        table: &Value,
    ) {
        if let Some(training) = device.training() {
            let backbone = run.backbone.build(run.input, run.compute);
            let shapes = backbone.map(|backbone| backbone.shapes()).unwrap_or_default();
            if let Some((key, message)) = training.misfit(run.input, &shapes) {
                self.wrong(&[path, key].concat(), message);
            }
            if let Some(message) = augmentation_misfit(training, stream, run.input, run.value_type) {
                self.wrong(&[path, &["augmentation"]].concat(), message);
            }
        }
        if let Err(error) = device.check(run) {
            self.plugin_says(path, table, &error.to_string());
        }
    }

    /// Checks that the devices of a row can give what its strategy and its protocol ask for.
    fn devices_serve(&mut self, index: usize, row: &StrategyRow) {
        let (strategy, devices, number) = (&row.kind, row.device.typetag_name(), index.to_string());
        let path = ["strategies", number.as_str()];
        if row.device.training().is_none() && row.data_access > DataAccess::Surrogate {
            let message = format!(
                "the strategy \"{strategy}\" needs {} data, but the devices \"{devices}\" keep their samples where this \
                 process cannot read them; accepted: a strategy whose data access is none or surrogate",
                row.data_access
            );
            self.wrong(&path, message);
        }
        if let Some(statistic) = row.config.statistics().first().filter(|_| !row.device.sends_statistics()) {
            let message = format!(
                "the strategy \"{strategy}\" asks devices for the statistic \"{}\" of their samples, but the devices \
                 \"{devices}\" send models only; accepted: a strategy that asks for no statistics",
                statistic.name()
            );
            self.wrong(&path, message);
        }
        if row.device.start() == DeviceStart::Initial && row.protocol.kind != ProtocolKind::Dcl {
            let message = format!(
                "the devices \"{devices}\" answer once, from the initial model, but under the protocol \"{}\" devices take \
                 the newest model; accepted: kind = \"dcl\"",
                row.protocol.kind.name()
            );
            let own = [&path[..], &["protocol", "kind"]].concat();
            self.wrong(&own, message);
        }
    }
}
