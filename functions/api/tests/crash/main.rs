//! Every external write of every function, killed before and after: the story ends as it does without
//!
//! A story is recorded once. The points are what it wrote; nobody keeps them by hand. Then it is told again for each
//! kind of write of each function, with a death there, and whoever called what died does what the real caller does.

#![cfg(test)]

mod ended;
mod outside;
mod region;
mod stories;

use ended::Ended;
use region::Region;
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use stories::{Shape, Story};
use weir_api::ENDPOINTS;
use weir_edge::Use;
use weir_reactors::functions::REACTORS;
use weir_tasks::functions::TASKS;
use weir_testkit::life::{ANSWER, Death, Point};

/// The future of a story is a large one in the dev profile
const STACK: usize = 64 << 20;

/// Functions that write nothing behind the traits, and what they do instead
const WITHOUT_WRITES: [(&str, &str); 1] =
    [("notify", "posts to Slack, which is seen outside; it dies before and after it has answered")];

type Deaths = BTreeMap<Point, Death>;

/// What is left of a telling
struct Told {
    ended: Ended,
    made: Vec<Point>,
    died: Vec<Point>,
}

/// Tells `story` with these deaths, or says what went wrong
fn tell(story: Story, deaths: Deaths) -> Result<Told, String> {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut region = Region::new(deaths).await;
            story.tell(&mut region).await;
            assert_eq!(ended::doubled(&region).await, [""; 0]);
            let life = &region.api.life;
            Told { ended: ended::ended(&region), made: life.made(), died: life.died() }
        })
    };
    let told = thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join();
    told.map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default().to_owned()
}

/// What a death did to a story; nothing, if it is right
fn violated(story: Story, calm: &Ended, point: Point, death: Death) -> Option<String> {
    let why = match tell(story, Deaths::from([(point, death)])) {
        Err(why) => why,
        Ok(told) if !told.died.contains(&point) => "nothing died there".to_owned(),
        Ok(told) if told.ended != *calm => difference(calm, &told.ended),
        Ok(_) => return None,
    };
    Some(format!("{story:?}, {death:?} {point}: {why}"))
}

fn difference(calm: &Ended, ended: &Ended) -> String {
    let lines: BTreeSet<_> = calm.keys().chain(ended.keys()).collect();
    let differ = lines.into_iter().filter(|line| calm.get(*line) != ended.get(*line));
    let differ = differ.map(|line| {
        let count = |ended: &Ended| ended.get(line).copied().unwrap_or_default();
        format!("\n    {line}: {} instead of {}", count(ended), count(calm))
    });
    differ.collect()
}

/// One point for each kind of write of each function: the first, the middle one or the last, by the story's shape
fn chosen(shape: Shape, made: &[Point]) -> Vec<Point> {
    let mut kinds: BTreeMap<(&str, &str), Vec<Point>> = BTreeMap::new();
    let writers = writers();
    for point in made.iter().filter(|point| writers.contains(point.function)) {
        kinds.entry((point.function, point.op)).or_default().push(*point);
    }
    let of = |points: &Vec<Point>| match shape {
        Shape::One => points.first().copied(),
        Shape::Two => points.last().copied(),
        Shape::Failing => points.get(points.len() / 2).copied(),
    };
    kinds.values().filter_map(of).collect()
}

/// How much of it is tried
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Each kind of write before and after, in every shape
    Whole,
    /// Each kind of write before it in one shape and after it in the next, by its place in the list
    Turns,
}

/// Where `story` is killed
fn deaths(story: Story, made: &[Point], extent: Extent) -> Vec<(Point, Death)> {
    let turn = story.shape() as usize;
    let mut deaths = Vec::new();
    for (place, point) in chosen(story.shape(), made).into_iter().enumerate() {
        let mut add = |death, at: usize| {
            if extent == Extent::Whole || at % Shape::ALL.len() == turn {
                deaths.push((point, death));
            }
        };
        add(Death::Before, place);
        // After its answer an invocation is over.
        if point.op != ANSWER {
            add(Death::After, place + 1);
        }
    }
    deaths
}

/// Kills those who tell `story`, in every shape
fn survives(story: fn(Shape) -> Story, extent: Extent) {
    let mut all = Vec::new();
    for story in Shape::ALL.map(story) {
        let calm = tell(story, Deaths::new()).unwrap();
        let deaths = deaths(story, &calm.made, extent);
        println!("{story:?}: {} writes, {} deaths", calm.made.len(), deaths.len());
        all.extend(deaths.into_iter().map(|(point, death)| (story, calm.ended.clone(), point, death)));
    }
    let (next, violations) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((story, calm, point, death)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = violated(*story, calm, *point, *death);
                    found.iter().for_each(|it| println!("FOUND {it}"));
                    violations.lock().unwrap().extend(found);
                }
            });
        }
    });
    let violations = violations.into_inner().unwrap();
    assert!(violations.is_empty(), "{} of {}:\n{}", violations.len(), all.len(), violations.join("\n"));
}

#[test]
fn a_delivery_survives_a_death_at_every_kind_of_write() {
    survives(Story::Delivery, Extent::Turns);
}

#[test]
fn a_scenario_survives_a_death_at_every_kind_of_write() {
    survives(Story::Scenario, Extent::Turns);
}

#[test]
fn what_is_asked_for_by_hand_survives_a_death_at_every_kind_of_write() {
    survives(Story::Hands, Extent::Turns);
}

#[test]
#[ignore = "takes minutes: what the others do in turns, in every shape on both sides"]
fn every_story_survives_every_death_in_every_shape() {
    for story in [Story::Delivery, Story::Scenario, Story::Hands] {
        survives(story, Extent::Whole);
    }
}

/// Every function that may write: what the lists say, and nobody keeps
fn writers() -> BTreeSet<&'static str> {
    let writes = |uses: &[Use]| uses.iter().any(|it| matches!(it, Use::TableWrite | Use::ObjectsWrite(_)));
    let endpoints = ENDPOINTS.iter().filter(|it| writes(it.route.uses)).map(|it| it.route.operation);
    endpoints.chain(TASKS.iter().chain(REACTORS).map(|it| it.handler)).collect()
}

#[test]
fn every_function_that_writes_is_killed_in_three_tellings_or_more() {
    let mut killed: BTreeMap<&str, BTreeSet<Story>> = BTreeMap::new();
    let mut writing = BTreeSet::from(WITHOUT_WRITES.map(|(function, _)| function));
    for story in Story::all() {
        let calm = tell(story, Deaths::new()).unwrap();
        // Its answer counts, too: it dies there after the last of its writes.
        for (point, _) in deaths(story, &calm.made, Extent::Whole) {
            killed.entry(point.function).or_default().insert(story);
            writing.extend((point.op != ANSWER).then_some(point.function));
        }
    }
    let writers = writers();
    assert_eq!(writing, writers, "each of these writes, and dies at that");
    let often = |function: &&&str| killed.get(**function).is_none_or(|stories| stories.len() < 3);
    let missing: Vec<_> = writers.iter().filter(often).collect();
    assert!(missing.is_empty(), "these are killed in less than three tellings: {missing:?}");
}
