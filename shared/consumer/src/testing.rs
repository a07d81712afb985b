//! A driver for the tests of filters: it runs gate and filter on a request as the runtime does.

use crate::gate::{self, Admitted};
use crate::known::Known;
use exchange::{
    Done, Event, Flow, Piece, Request, ResponseEvent, ResponseStep, Started, Step, Tally, Unasked,
    Watch,
};
use settings::Common;

/// A filter with one configuration, and the flow of the request that it saw last.
pub struct Driver {
    common: Common,
    ignores: Box<dyn Fn(&Request) -> bool>,
    start: Box<dyn Fn(Admitted) -> Started>,
    flow: Box<dyn Flow>,
}

impl Driver {
    /// Makes a driver with the settings `common`. It calls `start` for an admitted request.
    pub fn new(common: &Common, start: impl Fn(Admitted) -> Started + 'static) -> Self {
        Self {
            common: common.clone(),
            ignores: Box::new(|_| false),
            start: Box::new(start),
            flow: Started::from(Step::out_of_order()).flow,
        }
    }

    /// Makes the filter ignore the requests for which `ignores` returns `true`.
    #[must_use]
    pub fn ignoring(self, ignores: impl Fn(&Request) -> bool + 'static) -> Self {
        Self { ignores: Box::new(ignores), ..self }
    }

    /// Runs gate and filter on `request`. Later events belong to this request.
    pub fn send(&mut self, request: Request) -> Step {
        let known = Known::from_property(request.consumer.as_deref());
        let Started { step, flow } = match (self.ignores)(&request) {
            true => Step::forward(Vec::new()).into(),
            false => gate::run(Box::new(request), known, &self.common, &self.start),
        };
        self.flow = flow;
        step
    }
}

impl Flow for Driver {
    fn on(&mut self, event: Event) -> Step {
        self.flow.on(event)
    }

    fn on_unasked(&mut self, why: Unasked) -> Step {
        self.flow.on_unasked(why)
    }

    fn wants_response(&self) -> bool {
        self.flow.wants_response()
    }

    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        self.flow.on_response(event)
    }

    fn watches(&self) -> Watch {
        self.flow.watches()
    }

    fn on_piece(&mut self, piece: Piece<'_>) {
        self.flow.on_piece(piece);
    }

    fn on_done(&mut self, done: &Done) -> bool {
        self.flow.on_done(done)
    }

    fn tally(&mut self) -> Vec<Tally> {
        self.flow.tally()
    }
}
