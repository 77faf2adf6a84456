//! One policy after the other, where packets are taken from devices and several threads forward.

use lvsc_abi::engine::FrameMemory;

use super::*;

/// An engine of this policy.
struct Of {
    policy: &'static str,
    /// Over the image of the one before.
    is_over: bool,
    /// Steps of taking over that do not fail.
    steps: Arc<AtomicUsize>,
    inner: AnyEngine,
}

impl Of {
    fn step(&self) -> Result<(), EngineError> {
        let (done, seen) = (Ordering::Relaxed, Ordering::Relaxed);
        let left = |steps: usize| steps.checked_sub(1);
        let step = self.steps.fetch_update(done, seen, left);
        step.map(drop).map_err(|_| refusal())
    }

    fn more(&self) -> Result<AnyEngine, EngineError> {
        self.step()?;
        Ok(Box::new(Of {
            steps: Arc::clone(&self.steps),
            inner: engine(),
            ..*self
        }))
    }
}

fn of(policy: &'static str, is_over: bool, steps: usize) -> AnyEngine {
    Box::new(Of {
        policy,
        is_over,
        steps: Arc::new(AtomicUsize::new(steps)),
        inner: engine(),
    })
}

/// Memory for frames that nobody looks at.
struct Nothing;

impl FrameMemory for Nothing {
    fn begin(&self) -> *mut u8 {
        std::ptr::null_mut()
    }
}

fn policy(engine: &AnyEngine) -> &'static str {
    let engine: &dyn std::any::Any = engine.as_ref();
    engine.downcast_ref::<Of>().unwrap().policy
}

impl Engine for Of {
    fn name(&self) -> &'static str {
        self.policy
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        self.inner.room(room)
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        self.inner.process(packets)
    }

    fn image(&self) -> &dyn Image {
        self.inner.image()
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        self.inner.image_mut()
    }

    fn frames(&mut self) -> Result<Arc<dyn FrameMemory>, EngineError> {
        Ok(Arc::new(Nothing))
    }

    fn adopt(&mut self, _: Arc<dyn FrameMemory>) -> Result<(), EngineError> {
        self.step()
    }

    fn another(&mut self) -> Result<AnyEngine, EngineError> {
        self.more()
    }

    fn over(&self, _: &dyn Engine) -> Result<Option<AnyEngine>, EngineError> {
        self.is_over.then(|| self.more()).transpose()
    }

    fn succeed(&mut self, _: &mut dyn Engine) -> Result<(), EngineError> {
        self.step()
    }
}

fn refusal() -> EngineError {
    EngineError::Attach {
        what: "no more".to_owned(),
        remedy: None,
    }
}

/// Takes packets from devices; keeps what it was told.
#[derive(Default)]
struct Devices {
    refuses: bool,
    waited: Vec<Duration>,
    followed: Vec<World>,
    prepared: usize,
    retreated: usize,
    flushed: usize,
}

impl Source for Devices {
    type Meta = ();

    fn receive(&mut self, wait: Duration, _: &mut Inbox<'_, ()>) -> io::Result<Received> {
        self.waited.push(wait);
        Ok(Received::More)
    }

    fn follow(&mut self, world: &World) -> io::Result<()> {
        self.followed.push(world.clone());
        Ok(())
    }

    fn prepare(&mut self, _: Option<&[u8]>, _: &World) -> Result<bool, EngineError> {
        self.prepared += 1;
        if self.refuses {
            return Err(refusal());
        }
        Ok(true)
    }

    fn retreat(&mut self) {
        self.retreated += 1;
    }
}

impl Sink<()> for Devices {
    fn send(&mut self, _: &Packet, (): &(), _: &[u8]) -> io::Result<Sent> {
        Ok(Sent::Gone)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed += 1;
        Ok(())
    }
}

/// A director with devices of these indices, and what it told.
fn steering(
    manifest: &Manifest,
    indices: impl IntoIterator<Item = u32>,
) -> (Director<()>, Arc<Mutex<Vec<Notice>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let mut world = World::of(manifest);
    for (state, index) in world.interfaces.iter_mut().zip(indices) {
        state.index = index;
    }
    let director = Director::new(of("old", false, 2), manifest.clone(), world);
    let mut director = director.telling(move |notice| ear.lock().unwrap().push(notice));
    director.steer();
    (director, told)
}

fn replace(director: &mut Director<()>, manifest: Manifest) {
    director.handle(Event::Replace {
        engine: of("new", true, 2),
        manifest: Box::new(manifest),
        asked: None,
    });
}

#[test]
fn a_policy_that_not_all_threads_can_have_none_has() {
    // Three engines over the image that is there and the devices; else two more, frames for three, and the devices.
    let cases = [(true, 4), (false, 6)];
    let cases = cases.map(|(is_over, all)| (0..=all).map(move |steps| (is_over, steps, all)));
    for (is_over, steps, all) in cases.into_iter().flatten() {
        let (mut director, _) = steering(&manifest(), [7]);
        let hands = [(); 2].map(|()| {
            let another = director.another().unwrap();
            director.hire(another)
        });
        let world = director.world().clone();
        let taken = director.succeed(of("new", is_over, steps), manifest(), world);
        let (case, now) = (
            format!("{is_over}, {steps}"),
            if steps == all { "new" } else { "old" },
        );
        assert_eq!(taken.is_ok(), now == "new", "{case}");
        assert_eq!(policy(&director.own.engine), now, "{case}");
        for worker in director.crew.pause().workers {
            assert_eq!(policy(&worker.engine), now, "{case}");
        }
        drop(hands);
    }
}

#[test]
fn what_came_just_before_another_policy_is_told_to_the_devices() {
    let (mut director, told) = steering(&manifest(), [7]);
    let state = InterfaceState {
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        index: 7,
    };
    director.handle(Event::Interface { index: 0, state });
    replace(&mut director, manifest());
    let mut devices = Devices::default();
    director.turn(&mut devices, Duration::ZERO).unwrap();
    assert!(matches!(told.lock().unwrap()[..], [Notice::Replaced(_)]));
    let followed = devices.followed.iter().map(|world| world.interfaces[0]);
    assert_eq!(followed.collect::<Vec<_>>(), [state]);
}

#[test]
fn devices_that_were_not_prepared_go_back_and_follow_the_world_that_is() {
    let (mut director, told) = steering(&manifest(), [7]);
    replace(&mut director, manifest());
    let mut devices = Devices {
        refuses: true,
        ..Devices::default()
    };
    for _ in 0..2 {
        director.turn(&mut devices, Duration::ZERO).unwrap();
    }
    assert_eq!(*told.lock().unwrap(), [Notice::Kept(refusal())]);
    assert_eq!((devices.prepared, devices.retreated), (1, 1));
    assert_eq!(devices.followed, [director.world().clone()]);
}

#[test]
fn interfaces_in_another_order_are_other_ones() {
    let mut two = manifest();
    two.interfaces.push(Interface {
        name: "wan".to_owned(),
        ..Interface::default()
    });
    let mut other = two.clone();
    other.interfaces.reverse();
    let mut fewer = two.clone();
    fewer.interfaces.pop();
    let all = [(two.clone(), false), (other, true), (fewer, true)];
    let all = [Takes::Source, Takes::Engine, Takes::Nobody].map(|takes| (takes, all.clone()));
    let cases =
        (all.into_iter()).flat_map(|(takes, all)| all.map(|(next, kept)| (takes, next, kept)));
    for (takes, next, is_kept) in cases {
        let (mut director, told) = steering(&two, [7, 8]);
        director.takes = takes;
        replace(&mut director, next);
        let mut devices = Devices::default();
        director.turn(&mut devices, Duration::ZERO).unwrap();
        let told = told.lock().unwrap();
        assert_eq!(
            matches!(told[..], [Notice::Kept(_)]),
            is_kept,
            "{:?}",
            *told
        );
        assert_eq!(devices.prepared, usize::from(!is_kept));
    }
}

#[test]
fn a_policy_for_another_mac_than_the_devices_is_refused() {
    let own = Mac([2, 0, 0, 0, 0, 1]);
    for (mac, is_kept) in [(own, false), (Mac([2, 0, 0, 0, 0, 2]), true)] {
        let (mut director, told) = steering(&manifest(), [7]);
        let state = InterfaceState {
            mac: Some(own),
            index: 7,
        };
        director.handle(Event::Interface { index: 0, state });
        let mut next = manifest();
        next.interfaces[0].mac = Some(mac);
        replace(&mut director, next);
        director
            .turn(&mut Devices::default(), Duration::ZERO)
            .unwrap();
        let told = told.lock().unwrap();
        assert_eq!(matches!(told[..], [Notice::Kept(_)]), is_kept, "{told:?}");
    }
}

#[test]
fn what_could_not_be_sent_does_not_wait_for_the_next_frame() {
    let (mut director, _) = steering(&manifest(), [7]);
    let another = director.another().unwrap();
    let hand = director.hire(another);
    let mut devices = Devices::default();
    director.turn(&mut devices, Duration::ZERO).unwrap();
    assert_eq!(devices.flushed, 1);
    hand.turn(&mut devices).unwrap();
    assert_eq!(devices.flushed, 2);
}

#[test]
fn who_has_a_worker_does_not_wait_for_frames() {
    let (mut director, _) = steering(&manifest(), [7]);
    let another = director.another().unwrap();
    let hand = director.hire(another);
    let mut devices = Devices::default();
    assert!(matches!(hand.turn(&mut devices), Ok((false, None))));
    assert_eq!(devices.waited, [Duration::ZERO]);
}

#[test]
fn a_panic_ends_the_run_and_an_end_does_not() {
    for panics in [false, true] {
        let ended = AtomicBool::new(false);
        let caught = std::panic::catch_unwind(|| {
            let _alarm = super::super::worker::Alarm(&ended);
            assert!(!panics, "on purpose");
        });
        assert_eq!(caught.is_err(), panics);
        assert_eq!(ended.load(Ordering::Relaxed), panics);
    }
}

#[test]
fn another_policy_takes_over_with_what_was_learnt_and_counted() {
    let mut director = director();
    run(&mut director, &mut Wire::of(&[&[&[1], &[1], &[0]]]));
    let mac = Mac([2, 0, 0, 0, 0, 0x11]);
    director.handle(Event::Neighbour {
        address: [192, 0, 2, 11].into(),
        mac,
    });
    let mut next = manifest();
    next.pools[0].backends.reverse();
    next.pools[0]
        .backends
        .iter_mut()
        .zip(0..)
        .for_each(|(backend, id)| backend.id = id);
    next.counters.swap(1, 2);
    director.handle(Event::Replace {
        engine: engine(),
        manifest: Box::new(next),
        asked: None,
    });
    run(&mut director, &mut Wire::default());
    let summary = director.summary();
    let rows = summary.backends.iter();
    let rows = rows.map(|b| (b.name.as_str(), b.count.packets));
    assert_eq!(rows.collect::<Vec<_>>(), [("rs1", 0), ("rs0", 2)]);
    let known = (summary.backends[0].mac, summary.reasons["unlucky"]);
    assert_eq!(known, (Some(mac), 1));
    assert_eq!(Mac::from_record(load(&director, "backends.web", 0, 0)), mac);
}

#[test]
fn who_asked_for_a_policy_is_told_once_it_is_in_force() {
    let (mut director, _) = steering(&manifest(), [7]);
    let mut foreign = manifest();
    foreign.interfaces[0].name = "wan".to_owned();
    for (next, is_taken) in [(manifest(), true), (foreign, false)] {
        let (asked, told) = std::sync::mpsc::channel();
        director.handle(Event::Replace {
            engine: of("new", true, 2),
            manifest: Box::new(next),
            asked: Some(asked),
        });
        let before = director.successions();
        let mut devices = Devices::default();
        director.turn(&mut devices, Duration::ZERO).unwrap();
        assert_eq!(director.successions() > before, is_taken);
        assert!(told.try_recv().is_err(), "whoever runs it has not followed");
        director.turn(&mut devices, Duration::ZERO).unwrap();
        let outcome = told.try_recv().unwrap();
        assert_eq!(outcome.is_ok(), is_taken);
        if let Ok(carried) = outcome {
            assert!(carried.same_image);
        }
    }
}

/// An engine in the kernel, which forwards on while the image of the next one is filled.
struct Meanwhile {
    image: Bytes,
    /// What its image is once the next one's is being published.
    later: Option<Bytes>,
    is_later: Arc<AtomicBool>,
    /// How often somebody wanted to write into the image.
    writes: usize,
    /// Flows that it knew when it took over.
    known: Arc<AtomicUsize>,
}

fn flows(image: &Bytes) -> usize {
    let (_, table) = image.layout().named("flows.web").unwrap();
    let words = (0..u64::from(table.length)).map(|index| image.load(table.at(index, 0), Width::B8));
    words.filter(|word| *word != 0).count()
}

impl Engine for Meanwhile {
    fn name(&self) -> &'static str {
        "meanwhile"
    }

    fn room(&mut self, _: Room) -> &mut [u8] {
        &mut []
    }

    fn process(&mut self, _: &mut [Packet]) -> Result<(), EngineError> {
        Ok(())
    }

    fn image(&self) -> &dyn Image {
        let later = self.later.as_ref();
        later
            .filter(|_| self.is_later.load(Ordering::Relaxed))
            .unwrap_or(&self.image)
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        self.writes += 1;
        // It is carried over into, then published.
        let published = self.later.is_none() && self.writes > 1;
        let is_later = self.is_later.fetch_or(published, Ordering::Relaxed);
        let later = self.later.as_mut().filter(|_| is_later);
        later.unwrap_or(&mut self.image)
    }

    fn succeed(&mut self, _: &mut dyn Engine) -> Result<(), EngineError> {
        self.known.store(flows(&self.image), Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn flows_that_begin_while_the_next_image_is_filled_are_known_before_packets_go_by_it() {
    let (is_later, known) = (Arc::default(), Arc::default());
    let (flag, count) = (Arc::clone(&is_later), Arc::clone(&known));
    let engine = |later| Meanwhile {
        image: Bytes::new(super::engine().image().layout().clone()),
        later,
        is_later: Arc::clone(&flag),
        writes: 0,
        known: Arc::clone(&count),
    };
    let (mut old, mut later) = (engine(None), engine(None).image);
    let (_, table) = later.layout().named("flows.web").unwrap();
    let places = [1, 5].map(|index| table.at(index, 0));
    for (place, tag) in places.into_iter().zip(1..) {
        let entry = Entry {
            tag,
            backend: 0,
            seconds: 1,
            flags: 0,
        };
        later.store(place, Width::B8, entry.to_bits());
        if tag == 1 {
            old.image.store(place, Width::B8, entry.to_bits());
        }
    }
    old.later = Some(later);
    let world = World::of(&manifest());
    let mut director = Director::<()>::new(Box::new(old), manifest(), world.clone());
    director.takes = Takes::Engine;
    let next = Box::new(engine(None));
    director.succeed(next, manifest(), world).unwrap();
    assert!(is_later.load(Ordering::Relaxed));
    assert_eq!(known.load(Ordering::Relaxed), 2);
}
