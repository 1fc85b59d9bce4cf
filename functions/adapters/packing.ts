/**
 * How a baseline becomes the binary attribute: raw deflate with a preset dictionary, sealed by a checksum.
 */
import { constants, crc32, deflateRawSync, inflateRawSync } from 'node:zlib';

/** First byte of every packed baseline. A new layout or another dictionary is a new version. */
export const PACKING_VERSION = 1;

/** DynamoDB's item limit is 400 KB, names included; 20 KB of it are room for the other attributes. */
export const MAX_PACKED_BYTES = 380 * 1024;

/** Bound on what a packed baseline may unpack to, far above what packs into 380 KB in practice. */
export const MAX_BASELINE_BYTES = 16 * 1024 * 1024;

/** Version byte and CRC-32: raw deflate has no checksum of its own and would hide a wrong dictionary. */
const HEADER_BYTES = 5;

/** What deflate cannot pack it stores, for 5 bytes in 16 KB: this much need not be tried. */
const SURELY_FITS_BYTES = MAX_PACKED_BYTES - 1024;

export type Unpacked =
  | { readonly code: 'unpacked'; readonly baseline: Uint8Array }
  /** The cause and the remedy, for a message. */
  | { readonly code: 'unreadable'; readonly reason: string };

export interface Packing {
  readonly pack: (baseline: Uint8Array) => Uint8Array;
  readonly unpack: (packed: Uint8Array) => Unpacked;
  /** Whether the baseline can be stored and read again, by both bounds. */
  readonly fits: (baseline: Uint8Array) => boolean;
}

/** Layout: version (1 byte), CRC-32 of the baseline (4 bytes, big endian), raw deflate stream. */
export function createPacking(dictionary?: Uint8Array): Packing {
  const preset = dictionary === undefined ? {} : { dictionary };
  // `fits` is asked before each commit: the same bytes are not compressed twice.
  const memory = new WeakMap<Uint8Array, Uint8Array>();

  const pack = (baseline: Uint8Array): Uint8Array => {
    const known = memory.get(baseline);
    if (known !== undefined) return known;
    const stream = deflateRawSync(baseline, { level: constants.Z_BEST_COMPRESSION, ...preset });
    const packed = new Uint8Array(HEADER_BYTES + stream.length);
    packed[0] = PACKING_VERSION;
    new DataView(packed.buffer).setUint32(1, crc32(baseline));
    packed.set(stream, HEADER_BYTES);
    memory.set(baseline, packed);
    return packed;
  };

  const unpack = (packed: Uint8Array): Unpacked => {
    const version = packed[0] ?? 0;
    if (version > PACKING_VERSION) {
      const cause = `its packing version ${version} is newer than ${PACKING_VERSION}`;
      return { code: 'unreadable', reason: `${cause}; deploy the newer release again or delete the item` };
    }
    const damaged: Unpacked = { code: 'unreadable', reason: 'its baseline is damaged; delete the item' };
    if (version !== PACKING_VERSION || packed.length < HEADER_BYTES) return damaged;
    try {
      const stream = packed.subarray(HEADER_BYTES);
      const buffer = inflateRawSync(stream, { maxOutputLength: MAX_BASELINE_BYTES, ...preset });
      // Not the Buffer itself: its slice() is a view, where core expects a Uint8Array's copy.
      const baseline = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
      const checksum = new DataView(packed.buffer, packed.byteOffset).getUint32(1);
      return crc32(baseline) === checksum ? { code: 'unpacked', baseline } : damaged;
    } catch (error) {
      if (error instanceof RangeError) {
        const cause = `its baseline unpacks to more than ${MAX_BASELINE_BYTES} bytes`;
        return { code: 'unreadable', reason: `${cause}; delete the item` };
      }
      return damaged;
    }
  };

  const fits = (baseline: Uint8Array): boolean => {
    if (baseline.length <= SURELY_FITS_BYTES) return true;
    return baseline.length <= MAX_BASELINE_BYTES && pack(baseline).length <= MAX_PACKED_BYTES;
  };

  return { pack, unpack, fits };
}
