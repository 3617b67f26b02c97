//! A region around the functions: what calls them when they die does what the real service does

use crate::outside::Outside;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_api::ENDPOINTS;
use weir_domain::{id::OperationId, time::Millis};
use weir_edge::function::{Queue, Trigger};
use weir_orchestration::machines::SegmentInput;
use weir_reactors::functions::REACTORS;
use weir_testkit::{
    Life, TestApi,
    api::{Reply, Request},
    life::{Death, Point},
};

/// How often a state calls its function, the first time included: what its `Retry` says
const CALLS: usize = 9;

/// How often a message is given to a function before it is put aside
const RECEIVES: u32 = 5;

/// For how long nobody else is given a message that somebody has
const VISIBILITY: Millis = Millis::from_secs(960);

/// How often somebody who has no answer asks again
const ASKS: usize = 40;

/// For how many minutes something may be waited for
const MINUTES: usize = 400;

/// How an operation's root execution stands
#[derive(Debug, Clone, PartialEq)]
enum Root {
    Waits(String),
    Ended,
}

/// An execution of the segment machine that is not over
struct Segment {
    input: SegmentInput,
    tokens: Vec<String>,
    round: u64,
}

/// A message that nobody has handled
struct Message {
    queue: Queue,
    body: String,
    number: u64,
    due: Millis,
    receives: u32,
}

/// Everything around the functions
pub struct Region {
    pub api: TestApi,
    pub outside: Outside,
    roots: BTreeMap<OperationId, Root>,
    segments: Vec<Segment>,
    started: usize,
    messages: Vec<Message>,
    heard: usize,
    numbers: u64,
    /// The next job's message is given to nobody: its function is throttled until it is put aside
    pub throttled: bool,
    /// The next operation's first state cannot be run
    pub unbegun: bool,
}

impl Region {
    pub async fn new(deaths: BTreeMap<Point, Death>) -> Self {
        let (api, outside) =
            (TestApi::dying(ENDPOINTS, Life::ending_at(deaths)).await, Outside::open().await);
        let mut region = Self {
            api,
            outside,
            roots: BTreeMap::new(),
            segments: Vec::new(),
            started: 0,
            messages: Vec::new(),
            heard: 0,
            numbers: 0,
            throttled: false,
            unbegun: false,
        };
        // What is there before a story was told of before it, too.
        region.heard = region.api.table.changes_since(0).len();
        region.reborn();
        region
    }

    /// The functions' processes are new ones
    fn reborn(&mut self) {
        self.api.restart(&self.outside.url("/slack"));
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Asks until there is an answer, under one key, as a client does
    pub async fn ask(&mut self, build: impl for<'a> Fn(&'a TestApi) -> Request<'a>) -> Reply {
        let key = format!("key-of-the-story-{}", self.number());
        for _ in 0..ASKS {
            let reply = build(&self.api).key(&key).ask().await;
            let Some(reply) = reply else {
                self.reborn();
                self.api.clock.advance(Millis::from_secs(1));
                self.settle().await;
                continue;
            };
            if reply.short() == "409 request-in-progress" {
                let after: i64 = reply.headers["retry-after"].parse().unwrap();
                self.pass(Millis::from_secs(after)).await;
                continue;
            }
            assert!(reply.status < 500, "{reply:?}");
            self.settle().await;
            return reply;
        }
        panic!("nobody answers");
    }

    /// Lets time pass, at the end of which the schedule runs
    pub async fn pass(&mut self, by: Millis) {
        self.api.clock.advance(by);
        let scheduled = REACTORS.iter().filter(|it| matches!(it.trigger, Trigger::Schedule { .. }));
        for reactor in scheduled {
            let _next_minute = self.react(reactor.handler, json!({})).await;
        }
        self.settle().await;
    }

    /// Lets time pass until `reached` says something
    pub async fn until<T>(&mut self, what: &str, reached: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..MINUTES {
            self.settle().await;
            if let Some(found) = reached(self) {
                return found;
            }
            self.pass(Millis::from_secs(60)).await;
        }
        panic!("waited in vain for {what}: {}", crate::ended::left(self).join("\n"));
    }

    /// What the machines, queues and the stream have under way
    pub fn under_way(&self) -> Vec<String> {
        let roots = self.roots.iter().filter(|(_, root)| **root != Root::Ended);
        let roots = roots.map(|(id, root)| format!("execution of {id}: {root:?}"));
        let segments = self.segments.iter().map(|it| format!("execution {}", it.input.name()));
        let messages = self.messages.iter().map(|it| format!("{:?}: {}", it.queue, it.body));
        roots.chain(segments).chain(messages).collect()
    }

    /// Does what is there to be done at this moment, in the order of services that hurry
    pub async fn settle(&mut self) {
        for _ in 0..1_000 {
            let moved = [self.roots().await, self.segments().await, self.queues().await, self.stream().await];
            if moved == [false; 4] {
                return;
            }
        }
        panic!("it never rests: {:?}", self.under_way());
    }

    /// Runs a state's function, again where it fails, each time with a new token
    async fn task(&mut self, handler: &'static str, event: Value) -> Result<(Value, String), String> {
        let mut why = String::new();
        for _ in 0..CALLS {
            let token = format!("token-{}", self.number());
            let mut event = event.clone();
            event["token"] = json!(token);
            let life = self.api.life.clone();
            match life.run(handler, weir_tasks::run(&self.api.cx, handler, event)).await {
                Some(Ok(answer)) => return Ok((answer, token)),
                Some(Err(error)) => why = error.to_string(),
                None => self.reborn(),
            }
            self.api.clock.advance(Millis::from_secs(1));
        }
        Err(why)
    }

    fn has_ended(&self, token: &str) -> bool {
        self.api.cloud.told().ended.iter().any(|(ended, _)| ended == token)
    }

    async fn roots(&mut self) -> bool {
        let told = self.api.cloud.told().operations.clone();
        let mut moved = false;
        for input in told {
            let event = json!({ "scope": input.scope, "operation": input.operation });
            let root = match self.roots.get(&input.operation) {
                None if std::mem::take(&mut self.unbegun) => self.abort(event).await,
                None => match self.task("operation_begin", event.clone()).await {
                    Ok((_, token)) => Root::Waits(token),
                    Err(_) => self.abort(event).await,
                },
                Some(Root::Waits(token)) if self.has_ended(token) => {
                    match self.task("operation_finish", event.clone()).await {
                        Ok(_) => Root::Ended,
                        Err(_) => self.abort(event).await,
                    }
                }
                Some(Root::Waits(_) | Root::Ended) => continue,
            };
            self.roots.insert(input.operation, root);
            moved = true;
        }
        moved
    }

    async fn abort(&mut self, event: Value) -> Root {
        self.task("operation_abort", event).await.unwrap();
        Root::Ended
    }

    async fn segments(&mut self) -> bool {
        let told: Vec<_> = self.api.cloud.told().segments.iter().skip(self.started).cloned().collect();
        self.started += told.len();
        let mut moved = !told.is_empty();
        for input in told {
            let tokens = self.enter(&input).await;
            self.segments.push(Segment { input, tokens, round: 0 });
        }
        for mut segment in std::mem::take(&mut self.segments) {
            if !segment.tokens.iter().all(|token| self.has_ended(token)) {
                self.segments.push(segment);
                continue;
            }
            moved = true;
            let mut event = serde_json::to_value(&segment.input).unwrap();
            event["round"] = json!(segment.round);
            // Where it fails to the last, the execution has failed, and somebody revives the segment.
            let Ok((answer, _)) = self.task("segment_finish", event).await else { continue };
            if answer["next"] == "again" {
                segment.round = answer["round"].as_u64().unwrap();
                segment.tokens = self.enter(&segment.input).await;
                self.segments.push(segment);
            }
        }
        moved
    }

    /// Each node of the segment is waited for; one whose arrival keeps failing is left
    async fn enter(&mut self, input: &SegmentInput) -> Vec<String> {
        let mut tokens = Vec::new();
        for ordinal in &input.nodes {
            let event = json!({ "scope": input.scope, "operation": input.operation, "ordinal": ordinal });
            tokens.extend(self.task("node_arrive", event).await.ok().map(|(_, token)| token));
        }
        tokens
    }

    /// Runs a reactor once; none where it died or failed
    async fn react(&mut self, handler: &'static str, event: Value) -> Option<Value> {
        let (life, request) = (self.api.life.clone(), format!("request-{}", self.number()));
        match life.run(handler, weir_reactors::run(&self.api.cx, handler, event, &request)).await {
            Some(answer) => answer.ok(),
            None => {
                self.reborn();
                None
            }
        }
    }

    async fn queues(&mut self) -> bool {
        self.collect();
        let now = weir_orchestration::Clock::now(self.api.clock.as_ref());
        let due = |message: &Message| message.due <= now;
        let Some(at) = self.messages.iter().position(due) else { return false };
        let mut message = self.messages.remove(at);
        let mut readers = REACTORS.iter().filter(|it| match it.trigger {
            Trigger::Queue { queue, .. } => queue == message.queue,
            Trigger::Http | Trigger::Task | Trigger::Stream { .. } | Trigger::Schedule { .. } => false,
        });
        let reader = readers.next().unwrap();
        message.receives += 1;
        if message.queue == Queue::Jobs && std::mem::take(&mut self.throttled) {
            (0..RECEIVES).for_each(|_| self.api.clock.advance(VISIBILITY));
            self.messages.push(Message { queue: Queue::JobsDead, receives: 0, ..message });
            return true;
        }
        let record = json!({ "messageId": message.number.to_string(), "body": message.body });
        let answer = self.react(reader.handler, json!({ "Records": [record] })).await;
        if answer.is_some_and(|answer| answer["batchItemFailures"] == json!([])) {
            return true;
        }
        message.due = now + VISIBILITY;
        if message.receives == RECEIVES {
            assert_eq!(message.queue, Queue::Jobs, "{}", message.body);
            message = Message { queue: Queue::JobsDead, receives: 0, due: now, ..message };
        }
        self.messages.push(message);
        true
    }

    /// Takes what was sent to the queues
    fn collect(&mut self) {
        let now = weir_orchestration::Clock::now(self.api.clock.as_ref());
        let (jobs, notices) = {
            let mut told = self.api.cloud.told();
            (std::mem::take(&mut told.jobs), std::mem::take(&mut told.notices))
        };
        let jobs = jobs.into_iter().map(|(job, delay)| (Queue::Jobs, json!(job), now + delay));
        let notices = notices.into_iter().map(|notice| (Queue::Notify, json!(notice), now));
        for (queue, body, due) in jobs.chain(notices) {
            let number = self.number();
            self.messages.push(Message { queue, body: body.to_string(), number, due, receives: 0 });
        }
    }

    /// Hands each reactor of the stream what its filters let through, until it has taken it
    async fn stream(&mut self) -> bool {
        let news = self.api.table.changes_since(self.heard);
        self.heard += news.len();
        let records = weir_store::stream::event(&news).unwrap()["Records"].take();
        let records = records.as_array().cloned().unwrap_or_default();
        for reactor in REACTORS {
            let Trigger::Stream { filters, .. } = reactor.trigger else { continue };
            let filters: Vec<Value> = filters.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
            let passes = |record: &&Value| filters.iter().any(|filter| matches(filter, record));
            let batch: Vec<_> = records.iter().filter(passes).cloned().collect();
            let mut tries = 0;
            while !batch.is_empty() {
                let answer = self.react(reactor.handler, json!({ "Records": batch })).await;
                if answer.is_some_and(|answer| answer["batchItemFailures"] == json!([])) {
                    break;
                }
                tries += 1;
                assert!(tries < 20, "{} never takes its batch", reactor.handler);
                self.api.clock.advance(Millis::from_secs(1));
            }
        }
        !news.is_empty()
    }
}

/// Whether Lambda would hand over `value` under the filter `pattern`
fn matches(pattern: &Value, value: &Value) -> bool {
    if let Some(fields) = pattern.as_object() {
        return fields.iter().all(|(name, pattern)| matches(pattern, &value[name]));
    }
    let Some(any) = pattern.as_array() else { return pattern == value };
    any.iter().any(|one| {
        let Some(rules) = one.as_object() else { return one == value };
        rules.iter().all(|(rule, operand)| match rule.as_str() {
            "exists" => *operand == json!(!value.is_null()),
            "prefix" => value.as_str().is_some_and(|it| it.starts_with(operand.as_str().unwrap())),
            "anything-but" => !value.is_null() && !operand.as_array().unwrap().contains(value),
            other => panic!("no filter has `{other}`"),
        })
    })
}
