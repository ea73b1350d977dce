//! The centre of one cell behind its boundary: hand out, receive. The runner of a comparison drives it, and so does a caller
//! from outside ([`OpenCentre`](crate::OpenCentre)).

use std::sync::Arc;

use alluvium_config::{ProtocolKind, StrategyRow};
use alluvium_device::{Announcement, Beside, DeviceStart, Terms};
use alluvium_model::ModelState;
use alluvium_strategy::{BesideRequest, RunDescription, StrategyError, Surrogate};

use crate::ExperimentError;
use crate::centre::{Centre, CentreStart, ConsolidationRecord, EvaluationScope, ExpertHistory, consolidate};
use crate::context::RunContext;
use crate::devices::{DeviceRequest, SharedSetup, Statistics, workers};
use crate::protocol::{Boundary, Breach, HandedOutModel};
use crate::stored::{AdaptedDevice, CentralModel, Interruption, redo};

/// The centre of one cell, and everything that crosses its boundary.
pub(crate) struct Session {
    seed: u64,
    row: String,
    boundary: Boundary,
    centre: Centre,
    history: ExpertHistory,
    statistics: Statistics,
    beside: Arc<Beside>,
}

impl Session {
    /// Opens the centre of a row under one seed. It has the initial model.
    pub(crate) fn open(run: &RunContext<'_>, row: &StrategyRow, shared: &SharedSetup) -> Result<Self, ExperimentError> {
        let boundary = Boundary::new(&row.protocol, shared.tasks.len());
        let breach = |breach| ExperimentError::Protocol { row: row.name.clone(), seed: shared.seed, breach };
        let shown = boundary.show(row.data_access).map_err(breach)?;
        let failed = |cause: StrategyError| ExperimentError::Strategy {
            row: row.name.clone(),
            seed: shared.seed,
            device: 1,
            cause: Box::new(cause),
        };
        let heads = shared.heads.clone().filter(|_| row.protocol.devices_overlap());
        let initial = shared.initial.clone();
        let description = shared.describe(run.experiment, &row.protocol);
        let model = redo(|| initial.load(run.stages))?;
        let (surrogate, beside) = beside(run, row, shared, &description, &model).map_err(failed)?;
        let beside = Arc::new(beside);
        let start =
            CentreStart { initial, heads, beside: beside.clone(), compute: shared.compute.clone(), seed: shared.root };
        let centre = Centre::new(row, description, surrogate, shown, start).map_err(failed)?;
        Ok(Session {
            seed: shared.seed,
            row: row.name.clone(),
            boundary,
            centre,
            history: ExpertHistory::empty(),
            statistics: Statistics::asked_by(row.config.as_ref())?,
            beside,
        })
    }

    /// The first contact: hands out the model that devices of this row take, to a device that asked for it.
    pub(crate) fn hand_out(
        &mut self,
        row: &StrategyRow,
        shared: &SharedSetup,
        device: usize,
        announced: Announcement,
    ) -> Result<HandedOutModel, ExperimentError> {
        let settings = serde_json::to_value(workers(row.device.as_ref()))
            .map_err(|error| ExperimentError::Record(error.to_string()))?;
        shared.heard(row.device.as_ref(), device, &announced);
        let own = shared.own_network(device);
        let terms = Terms {
            settings,
            statistics: self.statistics.names(),
            beside: self.beside.clone(),
            backbone: own.map(|own| own.backbone()).transpose()?,
            ..self.boundary.visit(device).terms(shared.root)
        };
        let bytes = terms.bytes()?;
        let central = match row.device.start() {
            DeviceStart::HandedOut => self.centre.handed_out(),
            DeviceStart::Initial => &shared.initial,
        };
        let (model, teacher) = match own {
            None => (central.clone(), None),
            Some(own) => {
                let learns = own.learns_from_centre(self.centre.received());
                // The heads that are added for devices that adapt the model have not learned.
                (own.initial(device)?, learns.then(|| self.centre.central().clone()))
            }
        };
        let handed = self.boundary.hand_out(announced, model, teacher, terms, bytes);
        handed.map_err(|breach| self.breach(breach))
    }

    /// What a device of this row is asked to do.
    pub(crate) fn asked<'a>(&'a self, row: &'a StrategyRow, budgets: &'a [f64]) -> DeviceRequest<'a> {
        DeviceRequest { devices: row.device.as_ref(), statistics: &self.statistics, beside: &self.beside, budgets }
    }

    /// The second contact: consolidates the experts of devices that answered together, and judges the new central model.
    pub(crate) fn receive(
        &mut self,
        run: &RunContext<'_>,
        row: &StrategyRow,
        shared: &SharedSetup,
        experts: Vec<(usize, AdaptedDevice)>,
        judged: EvaluationScope,
    ) -> Result<ConsolidationRecord, Interruption> {
        let arrived = self.boundary.take_in(experts).map_err(|breach| self.breach(breach))?;
        for (device, expert) in arrived.experts() {
            self.history.add(shared, *device, expert);
        }
        consolidate(run, row, shared, &mut self.centre, &arrived, &self.history, judged)
    }

    /// The central model.
    pub(crate) fn central(&self) -> &CentralModel {
        self.centre.central()
    }

    /// What crossed the boundary so far.
    pub(crate) fn boundary(&self) -> &Boundary {
        &self.boundary
    }

    /// The experts that were received.
    pub(crate) fn history(&self) -> &ExpertHistory {
        &self.history
    }

    /// The number of experts that were received.
    pub(crate) fn received(&self) -> usize {
        self.centre.received()
    }

    fn breach(&self, breach: Breach) -> ExperimentError {
        ExperimentError::Protocol { row: self.row.clone(), seed: self.seed, breach }
    }
}

/// The surrogate data of a row, and what it hands out to every device beside the model. `initial` is the model before the first
/// device.
pub(crate) fn beside(
    run: &RunContext<'_>,
    row: &StrategyRow,
    shared: &SharedSetup,
    description: &RunDescription,
    initial: &ModelState,
) -> Result<(Option<Box<dyn Surrogate>>, Beside), StrategyError> {
    let surrogate = run.experiment.surrogate_of(row);
    let mut surrogate = surrogate.map(|surrogate| surrogate.build(description)).transpose()?;
    let beside = row.config.handed_beside(&mut BesideRequest {
        run: description,
        initial,
        surrogate: surrogate.as_mut().map(|surrogate| surrogate.as_mut() as _),
        compute: &shared.compute,
        seed: shared.root,
    })?;
    Ok((surrogate, beside))
}

/// What the central model is judged on after a consolidation; `whole` says whether all tasks so far are judged.
pub(crate) fn judged(protocol: ProtocolKind, whole: bool, shared: &SharedSetup) -> EvaluationScope {
    match (protocol, whole) {
        _ if !shared.judges => EvaluationScope::Nothing,
        (ProtocolKind::Federated, true) => EvaluationScope::Stream,
        (ProtocolKind::Federated, false) => EvaluationScope::Nothing,
        (ProtocolKind::Dcl | ProtocolKind::Centralised, true) => EvaluationScope::SoFar,
        (ProtocolKind::Dcl | ProtocolKind::Centralised, false) => EvaluationScope::Last,
    }
}
