//! Cases as targets are judged on them: what the evaluator decides, and the same case in other shapes.

use lvsc_abi::image::Bytes;

use super::Case;
use crate::eval::{self, Outcome, Packet};
use crate::passes;
use crate::verify::verify;

/// What becomes of each frame, its bytes then, and the state behind the last one.
pub type Decided = (Vec<(Outcome, Vec<u8>)>, Bytes);

impl Case {
    /// What the evaluator decides, told that it is this worker.
    ///
    /// # Panics
    ///
    /// For a program that the verifier refuses.
    pub fn decided(&self, worker: u32) -> Decided {
        let program = verify(self.program.clone(), &self.layout).expect("a case is a program");
        let mut image = self.image.clone();
        let decide = |(frame, ingress): &(Vec<u8>, u8)| {
            let mut frame = frame.clone();
            let mut packet = Packet {
                frame: &mut frame,
                ingress: *ingress,
                worker,
            };
            (eval::run(&program, &mut packet, &mut image), frame)
        };
        (self.frames.iter().map(decide).collect(), image)
    }

    /// The case with its program optimized.
    ///
    /// # Panics
    ///
    /// For a program that the verifier refuses.
    #[must_use]
    pub fn optimized(&self) -> Case {
        let program = verify(self.program.clone(), &self.layout).expect("a case is a program");
        let program = passes::optimize(program, &self.layout).into_program();
        Case {
            program,
            ..self.clone()
        }
    }

    /// The case with each frame many times, in turn, so that flows are met again in one batch.
    #[must_use]
    pub fn repeated(mut self) -> Case {
        let round = self.frames.clone();
        self.frames
            .extend(round.iter().cloned().chain(round.clone()).take(100));
        self
    }
}
