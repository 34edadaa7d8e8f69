//! YAML as a tree, of as much as an `action.yml` uses. Scalars are texts, as the runner hands them on.

use saphyr_parser::{Event, Parser};

/// A node.
#[derive(Debug, Clone)]
pub(crate) enum Yaml {
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(crate) fn parse(text: &str) -> Self {
        let mut events = Parser::new_from_str(text).map(|event| event.unwrap().0).filter(|event| {
            !matches!(
                event,
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd
            )
        });
        let first = events.next().unwrap();
        Self::node(first, &mut events)
    }

    fn node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Self {
        match event {
            Event::Scalar(text, ..) => Self::Text(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut list = Vec::new();
                loop {
                    match events.next().unwrap() {
                        Event::SequenceEnd => return Self::List(list),
                        event => list.push(Self::node(event, events)),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut map = Vec::new();
                loop {
                    match events.next().unwrap() {
                        Event::MappingEnd => return Self::Map(map),
                        Event::Scalar(key, ..) => {
                            let value = events.next().unwrap();
                            map.push((key.into_owned(), Self::node(value, events)));
                        }
                        other => panic!("the emulator does not know such a key: {other:?}"),
                    }
                }
            }
            other => panic!("the emulator does not know {other:?}"),
        }
    }

    /// A map's entries; none, where it is something else.
    pub(crate) fn entries(&self) -> &[(String, Yaml)] {
        match self {
            Self::Map(map) => map,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Yaml] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text under this key; empty, where there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        match self.get(key) {
            Some(Self::Text(text)) => text,
            _ => "",
        }
    }

    /// Fails if there is a key that the runner would not load.
    pub(crate) fn only(&self, known: &[&str], what: &str) {
        for (key, _) in self.entries() {
            assert!(known.contains(&key.as_str()), "Unexpected value '{key}' in {what}");
        }
    }
}
