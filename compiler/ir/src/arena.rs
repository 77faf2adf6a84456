//! Vectors indexed by their own kind of number, so that a block is never looked up by a value.

use std::marker::PhantomData;

/// A number that indexes an [`Arena`].
pub trait Id: Copy {
    /// The id of position `index`.
    fn at(index: usize) -> Self;
    /// The position.
    fn index(self) -> usize;
}

/// A growing vector of `T` indexed by `I`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arena<I, T> {
    items: Vec<T>,
    ids: PhantomData<I>,
}

impl<I: Id, T> Arena<I, T> {
    /// An empty arena.
    pub fn new() -> Arena<I, T> {
        Arena {
            items: Vec::new(),
            ids: PhantomData,
        }
    }

    /// Adds an item and gives its id.
    pub fn push(&mut self, item: T) -> I {
        self.items.push(item);
        I::at(self.items.len() - 1)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The item, unless the id belongs to another arena.
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())
    }

    /// The item to be changed, unless the id belongs to another arena.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.items.get_mut(id.index())
    }

    /// All ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::at)
    }

    /// All items in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter()
    }

    /// All items in order, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.items.iter_mut()
    }

    /// All items in order, moved out.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = T> {
        self.items.into_iter()
    }

    /// All ids and items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (I, &T)> {
        self.items
            .iter()
            .enumerate()
            .map(|(index, item)| (I::at(index), item))
    }
}

impl<I: Id, T> Default for Arena<I, T> {
    fn default() -> Arena<I, T> {
        Arena::new()
    }
}

impl<I: Id, T> FromIterator<T> for Arena<I, T> {
    fn from_iter<X: IntoIterator<Item = T>>(items: X) -> Arena<I, T> {
        Arena {
            items: items.into_iter().collect(),
            ids: PhantomData,
        }
    }
}

impl<I: Id, T> std::ops::Index<I> for Arena<I, T> {
    type Output = T;

    /// Panics for an id of another arena.
    fn index(&self, id: I) -> &T {
        self.get(id)
            .expect("an id belongs to the arena that gave it")
    }
}

impl<I: Id, T> std::ops::IndexMut<I> for Arena<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        self.get_mut(id)
            .expect("an id belongs to the arena that gave it")
    }
}
