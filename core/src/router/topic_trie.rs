//! Patterns of a topic exchange as a trie of words.

use bytes::Bytes;
use foldhash::HashMap;
use smallvec::SmallVec;

use super::{Destination, steps::Steps, targets::Targets};

const ROOT: usize = 0;

/// Patterns and where they lead. A look-up walks all matching places at once, a word at a time, so
/// that no pattern makes it take more than words × patterns steps.
#[derive(Debug)]
pub(super) struct TopicTrie {
    nodes: Vec<Node>,
    free: Vec<usize>,
}

#[derive(Debug, Default)]
struct Node {
    words: HashMap<Bytes, usize>,
    star: Option<usize>,
    hash: Option<usize>,
    /// Whether a `#` led here, so that it stays matched whatever words follow.
    repeats: bool,
    targets: Targets,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Star,
    Hash,
    Exactly(Bytes),
}

impl Default for TopicTrie {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            free: Vec::new(),
        }
    }
}

impl TopicTrie {
    pub(super) fn add(&mut self, pattern: &Bytes, destination: &Destination) {
        let mut at = ROOT;
        for word in pattern_words(pattern) {
            at = match self.nodes[at].child(&word) {
                Some(child) => child,
                None => self.grow(at, word),
            };
        }
        self.nodes[at].targets.add(destination);
    }

    pub(super) fn remove(&mut self, pattern: &Bytes, destination: &Destination) {
        let mut path = Vec::new();
        let mut at = ROOT;
        for word in pattern_words(pattern) {
            let Some(child) = self.nodes[at].child(&word) else {
                return;
            };
            path.push((at, word));
            at = child;
        }
        self.nodes[at].targets.remove(destination);
        while let Some((parent, word)) = path.pop() {
            if !self.nodes[at].is_empty() {
                break;
            }
            self.nodes[parent].cut(&word);
            self.nodes[at] = Node::default();
            self.free.push(at);
            at = parent;
        }
    }

    /// Calls `found` for every destination whose pattern matches any of `keys`, once per matching
    /// pattern. `None` where that takes more steps than are left.
    pub(super) fn each_match<'a>(
        &'a self,
        keys: &[&[u8]],
        steps: &mut Steps,
        mut found: impl FnMut(&'a Destination),
    ) -> Option<()> {
        let mut matched: SmallVec<[usize; 8]> = SmallVec::new();
        for key in keys {
            matched.extend(self.walk(key, steps)?);
        }
        // A pattern that several keys match leads to the same destinations for each.
        matched.sort_unstable();
        matched.dedup();
        for at in matched {
            self.nodes[at].targets.each(steps, &mut found)?;
        }
        Some(())
    }

    /// The places where `key` ends.
    fn walk(&self, key: &[u8], steps: &mut Steps) -> Option<Vec<usize>> {
        let (mut active, mut next) = (Vec::with_capacity(8), Vec::with_capacity(8));
        self.enter(ROOT, &mut active);
        for word in key_words(key) {
            steps.take(active.len() * Steps::over(word.len()))?;
            next.clear();
            for &at in &active {
                self.step(at, word, &mut next);
            }
            next.sort_unstable();
            next.dedup();
            std::mem::swap(&mut active, &mut next);
        }
        steps.take(active.len())?;
        Some(active)
    }

    fn step(&self, at: usize, word: &[u8], next: &mut Vec<usize>) {
        let node = &self.nodes[at];
        if node.repeats {
            next.push(at);
        }
        if let Some(&child) = node.words.get(word) {
            self.enter(child, next);
        }
        if let Some(child) = node.star {
            self.enter(child, next);
        }
    }

    /// Makes a node active, and with it the `#` below it, which matches no words at all too.
    fn enter(&self, at: usize, active: &mut Vec<usize>) {
        active.push(at);
        active.extend(self.nodes[at].hash);
    }

    fn grow(&mut self, parent: usize, word: Word) -> usize {
        let node = Node {
            repeats: word == Word::Hash,
            ..Node::default()
        };
        let child = match self.free.pop() {
            Some(free) => {
                self.nodes[free] = node;
                free
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        self.nodes[parent].join(word, child);
        child
    }

    #[cfg(test)]
    pub(super) fn live_nodes(&self) -> usize {
        self.nodes.len() - self.free.len()
    }
}

impl Node {
    fn child(&self, word: &Word) -> Option<usize> {
        match word {
            Word::Star => self.star,
            Word::Hash => self.hash,
            Word::Exactly(word) => self.words.get(word).copied(),
        }
    }

    fn join(&mut self, word: Word, child: usize) {
        match word {
            Word::Star => self.star = Some(child),
            Word::Hash => self.hash = Some(child),
            Word::Exactly(word) => {
                self.words.insert(word, child);
            }
        }
    }

    fn cut(&mut self, word: &Word) {
        match word {
            Word::Star => self.star = None,
            Word::Hash => self.hash = None,
            Word::Exactly(word) => {
                self.words.remove(word);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.targets.is_empty()
            && self.words.is_empty()
            && self.star.is_none()
            && self.hash.is_none()
    }
}

/// An empty key has no words; `a.` has two, the second one empty. As in RabbitMQ.
fn key_words(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = (!key.is_empty()).then(|| key.split(|octet| *octet == b'.'));
    words.into_iter().flatten()
}

/// `#.#` says no more than `#`, and is kept as that: no node is entered twice without a word.
fn pattern_words(pattern: &Bytes) -> Vec<Word> {
    let words = key_words(pattern).map(|word| match word {
        b"*" => Word::Star,
        b"#" => Word::Hash,
        exact => Word::Exactly(pattern.slice_ref(exact)),
    });
    let mut words: Vec<Word> = words.collect();
    words.dedup_by(|a, b| *a == Word::Hash && *b == Word::Hash);
    words
}
