//! Checks share a process where one cannot tell, and where one could, they do not.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use clockwork_assert::PythonAssert;
use clockwork_core::{AssertionExt, CheckResult, Engine, Outcome, Project};

use super::Checks;
use crate::run::{run, told};

/// Runs these functions one after the other; each says in which process it ran.
async fn one_by_one(checks: &Checks, functions: &[&str]) -> Vec<Arc<CheckResult>> {
    let minute = Duration::from_secs(60);
    // With a number, so that equal ones are told apart.
    let check = |(number, name): (usize, &&str)| checks.free(name).arg("n", number as i64).timeout(minute);
    let each = functions.iter().enumerate().map(check);
    let project = each.fold(Project::new("python"), Project::assert);
    let engine = Engine::builder().concurrency(1).build().unwrap();
    engine.assert(&project).await.unwrap().results
}

/// In how many processes they ran, all of which passed.
fn processes(results: &[Arc<CheckResult>]) -> usize {
    results.iter().map(|result| told(result, Outcome::Passed)).collect::<BTreeSet<_>>().len()
}

const SIMPLE: &str = r#"
import json, os, re, socket, subprocess, sys, threading, time
from collections import namedtuple
from datetime import timedelta
from enum import Enum
from pathlib import Path

PATTERN, LIMITS, HERE, SOON = re.compile("a+"), {"rows": [1, 2], "names": {"a", "b"}}, Path(__file__), timedelta(seconds=3)
Row = namedtuple("Row", "name price")
Color = Enum("Color", "RED GREEN")
seen, nested, count = [], {"a": {"b": [1]}}, 0

class State:
    limit = 3
    def __init__(self): self.value = 1
    def keep(self, value): self.value = value

state = State()

def counter():
    total = 0
    def step():
        nonlocal total
        total += 1
        return total
    return step

step = counter()

def process(): return True, str(os.getpid())

def looks(n, kept=[]):
    assert (seen, nested, count, kept) == ([], {"a": {"b": [1]}}, 0, [])
    assert state.value == 1 and State.limit == 3 and "x" not in LIMITS["names"]
    assert os.getcwd() != "/" and "DAMAGED" not in os.environ and "/nowhere" not in sys.path
    assert threading.active_count() == 1 and len(Row("a", 1)) == 2 and Color.RED.value == 1
    assert step() >= 1 and sorted(LIMITS) == ["names", "rows"] and PATTERN.match("a")
    return process()

def plain(n): return process()
def imports(n):
    import decimal
    return process()
def reads(n):
    with open(HERE) as file: file.read()
    return process()
def appends(n):
    seen.append(1)
    return process()
def nests(n):
    nested["a"]["b"].append(1)
    return process()
def replaces(n):
    nested["a"]["b"] = [1]
    return process()
def adds(n):
    LIMITS["names"].add("x")
    return process()
def counts(n):
    global count
    count += 1
    return process()
def keeps(n, kept=[]):
    kept.append(n)
    return process()
def remembers(n):
    state.keep(n + 7)
    return process()
def closes_over(n):
    step()
    return process()
def moves(n):
    os.chdir("/")
    return process()
def exports(n):
    os.environ["DAMAGED"] = "1"
    return process()
def finds(n):
    sys.path.append("/nowhere")
    return process()
def runs_aside(n):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return process()
def starts(n):
    subprocess.run(["true"])
    return process()
def leaks(n):
    os.open("/dev/null", os.O_RDONLY)
    return process()
def listens(n):
    socket.socket().bind(("127.0.0.1", 0))
    return process()
def prints(n):
    print("printed by", n)
    return process()
"#;

#[tokio::test]
async fn checks_that_leave_nothing_share_a_process() {
    let checks = Checks::new(SIMPLE);
    let results =
        one_by_one(&checks, &["plain", "plain", "reads", "imports", "prints", "prints", "plain"]).await;
    assert_eq!(processes(&results), 1);
    // What one prints is not another's.
    assert_eq!(results[4].details()["output"], "printed by 4\n");
    assert_eq!(results[5].details()["output"], "printed by 5\n");
    assert!(results[6].details().get("output").is_none_or(serde_json::Value::is_null));
}

#[tokio::test]
async fn what_a_check_leaves_no_other_finds() {
    let checks = Checks::new(SIMPLE);
    for spoils in [
        "appends",
        "nests",
        "replaces",
        "adds",
        "counts",
        "keeps",
        "remembers",
        "closes_over",
        "moves",
        "exports",
        "finds",
        "runs_aside",
        "starts",
        "leaks",
        "listens",
    ] {
        let results = one_by_one(&checks, &["plain", spoils, "looks"]).await;
        assert_eq!(processes(&results), 2, "{spoils}");
        let process = |at: usize| told(&results[at], Outcome::Passed);
        assert!(process(0) == process(1) && process(1) != process(2), "{spoils}");
    }
}

/// Where it cannot be told what is left.
#[tokio::test]
async fn others_have_a_process_each() {
    for line in [
        "import json\ndef other(): json.dumps = None",
        "import json\ndef other(): json.encoder.ESCAPE_DCT['x'] = 'y'",
        "import json\ndef other(): json.encoder.ESCAPE_DCT.update(x='y')",
        "def other():\n    import json.encoder\n    del json.encoder.ESCAPE_DCT['x']",
        "from json import JSONEncoder\ndef other(): JSONEncoder.item_separator.join([]); [].append(1)",
        "def other(): setattr(os, 'sep', '')",
        "import functools\n@functools.lru_cache\ndef other(): return 1",
        "import signal\ndef other(): signal.alarm(3)",
        "import random\ndef other(): random.seed(1)",
        "def other():\n    os.umask(0)",
        "import threading\nlock = threading.Lock()",
        "numbers = iter([1, 2])",
        "many = [[number] for number in range(2000)]",
        "class State(dict): pass\nstate = State()",
        "def other():\n    def inner(): eval('1')\n    return inner",
    ] {
        let checks =
            Checks::new(&format!("import os\n{line}\n\ndef check(n): return True, str(os.getpid())\n"));
        let results = one_by_one(&checks, &["check", "check", "check"]).await;
        assert_eq!(processes(&results), 3, "{line}");
    }
}

/// One that ends its process does so alone, and is never blamed for what others did there.
#[tokio::test]
async fn who_ends_a_process_that_ran_others_is_asked_again() {
    let checks = Checks::new("");
    let marks = checks.path.join("marks");
    checks.add(
        "checks.py",
        &format!(
            r#"
import os

MARKS = {:?}

def note(text):
    with open(MARKS, "a") as file: file.write(text + "\n")

def marks(n):
    note(str(os.getpid()))
    return True, "marked"

def dies_where_others_were(n):
    with open(MARKS) as file:
        if str(os.getpid()) in file.read().split(): os._exit(9)
    return True, "alone"

def dies(n):
    note("died")
    os._exit(3)

def starves(n):
    with open(MARKS) as file:
        if str(os.getpid()) in file.read().split(): raise MemoryError
    return True, "fed"
"#,
            marks.display().to_string()
        ),
    );
    let functions = ["marks", "dies_where_others_were", "marks", "starves", "marks", "dies", "marks"];
    let results = one_by_one(&checks, &functions).await;
    for (at, message) in
        [(0, "marked"), (1, "alone"), (2, "marked"), (3, "fed"), (4, "marked"), (6, "marked")]
    {
        assert_eq!(told(&results[at], Outcome::Passed), message);
    }
    assert!(told(&results[5], Outcome::Errored).starts_with("ended its process with code 3"));
    let noted = std::fs::read_to_string(marks).unwrap();
    assert_eq!(noted.lines().filter(|line| *line == "died").count(), 2);
}

/// Slow ones do not wait for each other: each of these waits for all others.
#[tokio::test]
async fn slow_checks_run_at_the_same_time() {
    let checks = Checks::new(
        r#"
import os, time

def meets(n, count, where):
    with open(os.path.join(where, "met-%d" % n), "w"): pass
    while not all(os.path.exists(os.path.join(where, "met-%d" % other)) for other in range(count)):
        time.sleep(0.01)
    return True, "met"
"#,
    );
    const ALL: i64 = 20;
    let place = checks.path.display().to_string();
    let meets = |n: i64| -> PythonAssert {
        checks.free("meets").arg("n", n).arg("count", ALL).arg("where", place.as_str())
    };
    let project = (0..ALL)
        .fold(Project::new("python"), |project, n| project.assert(meets(n).timeout(Duration::from_secs(60))));
    for result in run(project).await {
        assert_eq!(told(&result, Outcome::Passed), "met");
    }
}
