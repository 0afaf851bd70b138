"""Random numbers as src/random.hpp draws them, written again from its sources: Philox4x32-10 (Salmon et al., SC'11),
so that a reference can draw the same folds, shuffles and samples."""

import itertools

MASK32 = 0xFFFFFFFF
SHUFFLE_ALIGNMENT = 8  # a purpose


def philox4x32(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product0, product1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (product1 >> 32) ^ c1 ^ k0, product1 & MASK32, (product0 >> 32) ^ c3 ^ k1, product0 & MASK32
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def words(seed, purpose, index):
    """The stream of 32-bit words of (seed, purpose, index)."""
    for block in itertools.count():
        counter = (block, purpose, index & MASK32, index >> 32)
        yield from philox4x32(counter, (seed & MASK32, seed >> 32))


def below(stream, n):
    """Uniform in 0 … n−1 for n up to 2^32: draws above the range are thrown away."""
    if n < 2:
        return 0
    mask = (1 << (n - 1).bit_length()) - 1
    while True:
        draw = next(stream) & mask
        if draw < n:
            return draw


def permutation(n, seed, purpose, index):
    """0 … n−1 by Fisher and Yates."""
    stream = words(seed, purpose, index)
    order = list(range(n))
    for left in range(n, 1, -1):
        other = below(stream, left)
        order[left - 1], order[other] = order[other], order[left - 1]
    return order
