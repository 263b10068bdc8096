//! The number that the shell sees: whether something was lost.

use mqtt_common::exit::Exit;
use mqtt_proto::QoS;

use crate::load::run::Outcome;
use crate::plan::Plan;

/// Messages were lost.
pub const LOST: Exit = Exit(40);
/// Nothing was lost, but messages came twice at QoS 2, or out of order.
pub const DISORDER: Exit = Exit(41);

/// How a run ends.
pub fn of(plan: &Plan, outcome: &Outcome) -> Exit {
    // Messages at QoS 1 may come twice, and the order counts within one topic only.
    let is_once = plan.subscribe_qos.min(plan.qos) == QoS::ExactlyOnce;
    let is_ordered = plan.topics == 1 && plan.publishers > 0;
    match &outcome.trouble {
        Some(trouble) => trouble.exit(&plan.common),
        None if outcome.lost() > 0 || outcome.refused > 0 => LOST,
        None if outcome.duplicates > 0 && is_once => DISORDER,
        None if outcome.late > 0 && is_ordered => DISORDER,
        None => Exit::DONE,
    }
}
