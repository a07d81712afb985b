//! Schoolbook products and Montgomery reduction, four rows at a time, without carries.
//!
//! Every product of two digits is added to a column that is wide enough for a whole multiplication
//! and a whole reduction; carries are propagated only where a quotient digit is needed and once at
//! the end. The inner loop is therefore nothing but multiply and add.
//!
//! All lengths are multiples of four, at least eight; a slice of another length would end a loop
//! early and give a wrong number, never a panic.

use crate::lane::Lane;

/// Adds four rows to one group of four columns. `w` holds the digits of the other factor that meet
/// `x[0]` in these columns, `v` the three digits below them.
#[inline(always)]
fn add_group<T: Lane>(t: &mut [T; 4], x: &[T; 4], v: [T; 3], w: &[T; 4]) {
    let sum =
        |a: T, b: T, c: T, d: T| x[0].mul(a).add(x[1].mul(b)).add(x[2].mul(c).add(x[3].mul(d)));
    t[0] = t[0].add(sum(w[0], v[2], v[1], v[0]));
    t[1] = t[1].add(sum(w[1], w[0], v[2], v[1]));
    t[2] = t[2].add(sum(w[2], w[1], w[0], v[2]));
    t[3] = t[3].add(sum(w[3], w[2], w[1], w[0]));
}

/// `t[j] += sum over r of x[r] * y[j + 3 - r]`: all columns of the product of the four digits `x`
/// with `y` from the one where `y[3]` meets `x[0]`. `y` has 4 k + 3 digits, `t` at least as many.
#[inline(always)]
fn add_rows_from<T: Lane>(t: &mut [T], x: &[T; 4], y: &[T]) {
    let Some((v, y)) = y.split_first_chunk::<3>() else { return };
    let Some((main, tail)) = t.split_at_mut_checked(y.len()) else { return };
    let Some(tail) = tail.first_chunk_mut::<3>() else { return };
    let mut v = *v;
    for (t, w) in main.as_chunks_mut::<4>().0.iter_mut().zip(y.as_chunks::<4>().0) {
        add_group(t, x, v, w);
        v = [w[1], w[2], w[3]];
    }
    tail[0] = tail[0].add(x[1].mul(v[2])).add(x[2].mul(v[1])).add(x[3].mul(v[0]));
    tail[1] = tail[1].add(x[2].mul(v[2])).add(x[3].mul(v[1]));
    tail[2] = tail[2].add(x[3].mul(v[2]));
}

/// `t += x * y` for four digits `x`.
#[inline(always)]
fn add_rows<T: Lane>(t: &mut [T], x: &[T; 4], y: &[T]) {
    let Some((t, rest)) = t.split_first_chunk_mut::<4>() else { return };
    let (Some(y), Some(above)) = (y.first_chunk::<4>(), y.get(1..)) else { return };
    t[0] = t[0].add(x[0].mul(y[0]));
    t[1] = t[1].add(x[0].mul(y[1])).add(x[1].mul(y[0]));
    t[2] = t[2].add(x[0].mul(y[2])).add(x[1].mul(y[1])).add(x[2].mul(y[0]));
    t[3] = t[3].add(x[0].mul(y[3])).add(x[1].mul(y[2])).add(x[2].mul(y[1])).add(x[3].mul(y[0]));
    add_rows_from(rest, x, above);
}

/// The rows of one group of quotient digits after the other, times the modulus `n`.
///
/// Reduction alternates between a short serial part, finding four quotient digits, and a long
/// parallel one, adding their rows. `next` does the serial part for the following group as soon as
/// its four columns are complete, so that a processor can overlap both. `t` has twice as many
/// columns as `n` has digits; the lower half is left zero.
#[inline(always)]
pub(crate) fn reduce_rows<T: Lane>(t: &mut [T], n: &[T], mut next: impl FnMut(&[T; 4]) -> [T; 4]) {
    let Some(&[_, n1, n2, n3, n4, n5, n6, n7]) = n.first_chunk::<8>() else { return };
    let (Some(above), Some(beyond)) = (n.get(1..), n.get(5..)) else { return };
    let Some((first, mut rest)) = t.split_first_chunk_mut::<4>() else { return };
    let mut m = next(first);
    *first = [T::ZERO; 4];
    for _ in 1..n.len() / 4 {
        let Some((first, after)) = rest.split_first_chunk_mut::<4>() else { return };
        add_group(first, &m, [n1, n2, n3], &[n4, n5, n6, n7]);
        let following = next(first);
        *first = [T::ZERO; 4];
        add_rows_from(after, &m, beyond);
        m = following;
        rest = after;
    }
    add_rows_from(rest, &m, above);
}

/// Computes `t += a * b`, column by column.
#[inline(always)]
pub(crate) fn add_product<T: Lane>(mut t: &mut [T], a: &[T], b: &[T]) {
    for x in a.as_chunks::<4>().0 {
        add_rows(t, x, b);
        let Some((_, rest)) = t.split_first_chunk_mut::<4>() else { return };
        t = rest;
    }
}

/// Computes `t += a * a`. Every mixed product is computed once and doubled.
#[inline(always)]
pub(crate) fn add_square<T: Lane>(mut t: &mut [T], a: &[T]) {
    let mut rest = a;
    while let Some((x, tail)) = rest.split_first_chunk::<4>() {
        let d = x.map(|v| v.add(v));
        let Some(c) = t.first_chunk_mut::<7>() else { return };
        c[0] = c[0].add(x[0].mul(x[0]));
        c[1] = c[1].add(d[0].mul(x[1]));
        c[2] = c[2].add(d[0].mul(x[2])).add(x[1].mul(x[1]));
        c[3] = c[3].add(d[0].mul(x[3])).add(d[1].mul(x[2]));
        c[4] = c[4].add(d[1].mul(x[3])).add(x[2].mul(x[2]));
        c[5] = c[5].add(d[2].mul(x[3]));
        c[6] = c[6].add(x[3].mul(x[3]));
        let Some((_, after)) = t.split_first_chunk_mut::<4>() else { return };
        add_rows(after, &d, tail);
        let Some((_, after)) = after.split_first_chunk_mut::<4>() else { return };
        t = after;
        rest = tail;
    }
}
