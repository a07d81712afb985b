//! Limits on the requests of a VM that wait at once, and on the memory that they keep meanwhile.
//!
//! A VM's memory never shrinks, and a client chooses how large its request is. So each waiting
//! request takes a seat in a room, which is bounded in seats and in bytes; without a seat the
//! request is refused with 503. Each kind of waiting has a room of its own, so that a client who
//! fills one room does not block the others.

use std::cell::Cell;
use std::rc::Rc;

const MIB: usize = 1 << 20;

/// A room: the kind of event that a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The answer about a key that nothing is known of: anybody can make up such a key.
    Stranger,
    /// The answer about a key that was known once.
    Known,
    /// The answer to a call of its own.
    Asking,
    /// A client's body, which comes as slowly as the client likes.
    Body,
}

impl Room {
    /// Returns the largest number of requests, and of bytes that they keep together.
    fn limits(self) -> (usize, usize) {
        match self {
            Self::Stranger => (2048, 8 * MIB),
            Self::Known | Self::Asking | Self::Body => (8192, 16 * MIB),
        }
    }
}

#[derive(Debug, Default)]
struct Taken {
    seats: Cell<usize>,
    bytes: Cell<usize>,
}

/// The rooms of a VM. All clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Rooms(Rc<[Taken; 4]>);

impl Rooms {
    /// Takes a seat for a request that keeps `bytes` while it waits. Returns `None` if the room is
    /// full.
    pub fn seat(&self, room: Room, bytes: usize) -> Option<Seat> {
        let taken = self.taken(room)?;
        let (seats, all) =
            (taken.seats.get().checked_add(1)?, taken.bytes.get().checked_add(bytes)?);
        let (most, most_bytes) = room.limits();
        if seats > most || all > most_bytes {
            return None;
        }
        taken.seats.set(seats);
        taken.bytes.set(all);
        Some(Seat { rooms: self.clone(), room, bytes })
    }

    /// Returns the number of requests that wait in `room`, and of the bytes that they keep.
    #[cfg(test)]
    pub fn waiting(&self, room: Room) -> (usize, usize) {
        self.taken(room).map_or((0, 0), |taken| (taken.seats.get(), taken.bytes.get()))
    }

    fn taken(&self, room: Room) -> Option<&Taken> {
        self.0.get(room as usize)
    }
}

/// A place in a room. Dropping the seat frees it.
#[derive(Debug)]
pub struct Seat {
    rooms: Rooms,
    room: Room,
    bytes: usize,
}

impl Seat {
    /// Returns the room in which the seat is.
    pub fn room(&self) -> Room {
        self.room
    }
}

impl PartialEq for Seat {
    fn eq(&self, other: &Self) -> bool {
        (self.room, self.bytes) == (other.room, other.bytes)
    }
}

impl Eq for Seat {}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(taken) = self.rooms.taken(self.room) {
            taken.seats.set(taken.seats.get().saturating_sub(1));
            taken.bytes.set(taken.bytes.get().saturating_sub(self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_bounded_in_number_and_in_bytes_and_a_seat_becomes_free() {
        let rooms = Rooms::default();
        let (most, most_bytes) = Room::Stranger.limits();
        let mut seats: Vec<Seat> =
            (0..most).map(|_| rooms.seat(Room::Stranger, 1).unwrap()).collect();
        assert!(rooms.seat(Room::Stranger, 1).is_none(), "one too many");
        assert!(rooms.seat(Room::Known, 1).is_some(), "another room");
        seats.pop();
        assert!(rooms.seat(Room::Stranger, most_bytes).is_none(), "too many bytes");
        assert!(rooms.seat(Room::Stranger, most_bytes - most + 1).is_some());
        drop(seats);
        assert_eq!(rooms.waiting(Room::Stranger), (0, 0));
        assert!(rooms.seat(Room::Stranger, usize::MAX).is_none());
    }
}
