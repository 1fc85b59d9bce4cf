import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { createPacking, MAX_BASELINE_BYTES, MAX_PACKED_BYTES } from '../../functions/adapters/packing.ts';

const DICTIONARY = new TextEncoder().encode(
  'e2e_request_latency_seconds_bucket{le="model_name="meta/llama"}',
);
const BASELINE = new TextEncoder().encode(
  'e2e_request_latency_seconds_bucket{le="0.3",model_name="meta/llama"} 7',
);

/** Random bytes do not compress: this many of them pack into exactly the bound. */
function incompressible(packedBytes: number): Uint8Array {
  const packing = createPacking();
  let length = packedBytes;
  for (;;) {
    const bytes = new Uint8Array(randomBytes(length));
    const excess = packing.pack(bytes).length - packedBytes;
    if (excess === 0) return bytes;
    length -= excess;
  }
}

describe('packing', () => {
  for (const [name, baseline] of [
    ['nothing', new Uint8Array(0)],
    ['text', BASELINE],
    ['random bytes', new Uint8Array(randomBytes(100_000))],
    ['the most that can be read again', new Uint8Array(MAX_BASELINE_BYTES)],
  ] as const) {
    test(`there and back: ${name}`, () => {
      for (const packing of [createPacking(), createPacking(new Uint8Array(0)), createPacking(DICTIONARY)]) {
        const unpacked = packing.unpack(packing.pack(baseline));
        assert.equal(unpacked.code, 'unpacked');
        assert.equal(Object.getPrototypeOf(unpacked.baseline), Uint8Array.prototype);
        assert.ok(Buffer.from(baseline).equals(unpacked.baseline));
      }
    });
  }

  test('the dictionary saves space', () => {
    assert.ok(createPacking(DICTIONARY).pack(BASELINE).length < createPacking().pack(BASELINE).length - 20);
  });

  test('a view into a larger buffer is read from its own start', () => {
    const packing = createPacking();
    const packed = packing.pack(BASELINE);
    const larger = new Uint8Array(packed.length + 9);
    larger.set(packed, 9);
    assert.equal(packing.unpack(larger.subarray(9)).code, 'unpacked');
  });

  test('a baseline fits at 380 KB packed, not one byte past it', () => {
    const packing = createPacking();
    assert.ok(packing.fits(incompressible(MAX_PACKED_BYTES)));
    assert.ok(!packing.fits(incompressible(MAX_PACKED_BYTES + 1)));
  });

  test('a baseline fits at 16 MiB unpacked, not one byte past it', () => {
    const packing = createPacking();
    assert.ok(packing.fits(new Uint8Array(MAX_BASELINE_BYTES)));
    assert.ok(!packing.fits(new Uint8Array(MAX_BASELINE_BYTES + 1)));
  });
});

describe('what cannot be unpacked', () => {
  const unpack = (packed: Uint8Array, dictionary?: Uint8Array) => {
    const unpacked = createPacking(dictionary).unpack(packed);
    assert.equal(unpacked.code, 'unreadable');
    return unpacked.reason;
  };

  test('a newer packing version', () => {
    const packed = Uint8Array.from(createPacking().pack(BASELINE));
    packed[0] = 2;
    assert.match(unpack(packed), /^its packing version 2 is newer than 1; deploy the newer release/);
  });

  test('a bomb is not unpacked past the bound', () => {
    const bomb = createPacking().pack(new Uint8Array(MAX_BASELINE_BYTES + 1));
    assert.match(unpack(bomb), /unpacks to more than 16777216 bytes/);
  });

  test('empty, unknown, cut and trailing bytes', () => {
    const packed = createPacking().pack(BASELINE);
    const stream = deflateRawSync(BASELINE);
    for (const bytes of [[], [0], [1], [1, 0, 0, 0, 0], [0, ...stream], [...packed].slice(0, -1)]) {
      assert.match(unpack(Uint8Array.from(bytes)), /^its baseline is damaged; delete the item$/);
    }
  });

  test('any damaged byte', () => {
    const packed = createPacking(DICTIONARY).pack(BASELINE);
    for (let index = 1; index < packed.length; index += 1) {
      const damaged = Uint8Array.from(packed);
      damaged[index] = (damaged[index] ?? 0) ^ 0x55;
      const unpacked = createPacking(DICTIONARY).unpack(damaged);
      if (unpacked.code === 'unpacked') assert.deepEqual(unpacked.baseline, BASELINE, 'padding bits only');
    }
  });

  test('another dictionary than the one it was packed with', () => {
    const packed = createPacking(DICTIONARY).pack(BASELINE);
    assert.match(unpack(packed), /damaged/);
    assert.match(unpack(packed, DICTIONARY.toReversed()), /damaged/);
  });
});
