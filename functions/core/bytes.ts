/** Writing and reading the primitive forms of baseline-format.ts. */
import { assert } from './outcome.ts';

/** Whole numbers up to here are written as such: twice this is still exact. */
const MAX_WHOLE = 2 ** 52 - 1;
const REAL = 1;

/** A cursor over bytes is state by nature: hence a class, as below. */
export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;
  readonly #reals: number[] = [];
  readonly #encoder = new TextEncoder();

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** LEB128 of a whole number from 0 to 2^53. */
  whole(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, `${value} is no whole number`);
    this.#reserve(8);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) + 128;
    this.#bytes[this.#length++] = rest;
  }

  distance(value: number): void {
    this.whole(value < 0 ? -value * 2 - 1 : value * 2);
  }

  value(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value <= MAX_WHOLE && !Object.is(value, -0))
      this.whole(value * 2);
    else {
      this.whole(REAL);
      this.#reals.push(value);
    }
  }

  texts(texts: readonly string[]): void {
    this.whole(texts.length);
    for (const text of texts) {
      const encoded = this.#encoder.encode(text);
      this.whole(encoded.length);
      this.#reserve(encoded.length);
      this.#bytes.set(encoded, this.#length);
      this.#length += encoded.length;
    }
  }

  finish(): Uint8Array {
    this.#reserve(this.#reals.length * 8);
    const view = new DataView(this.#bytes.buffer);
    for (const real of this.#reals) {
      view.setFloat64(this.#length, real, true);
      this.#length += 8;
    }
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Reads without throwing: past the end or against the form, `failed` is set and zeros come back. */
export class ByteReader {
  failed = false;
  #at = 0;
  /** Where the reals, which stand at the end, belong. */
  readonly #pending: { values: number[]; index: number }[] = [];
  readonly #bytes: Uint8Array;
  readonly #decoder = new TextDecoder('utf-8');

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) this.failed = true;
    return value ?? 0;
  }

  whole(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte % 128) * scale;
      if (!Number.isSafeInteger(value)) this.failed = true;
      if (byte < 128 || this.failed) return this.failed ? 0 : value;
      scale *= 128;
    }
  }

  distance(): number {
    const value = this.whole();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** `count` values; those that are reals are filled in by `endedWell`, once the reals are reached. */
  values(count: number): number[] {
    const values: number[] = [];
    for (let i = 0; i < count && !this.failed; i++) {
      const value = this.whole();
      if (value === REAL) this.#pending.push({ values, index: i });
      else if (value % 2 === 1) this.failed = true;
      values.push(value / 2);
    }
    return values;
  }

  list<T>(read: () => T): T[] {
    const count = this.whole();
    const items: T[] = [];
    if (count > this.#bytes.length) this.failed = true;
    for (let i = 0; i < count && !this.failed; i++) items.push(read());
    return items;
  }

  texts(): string[] {
    return this.list(() => {
      const length = this.whole();
      const from = this.#at;
      this.#at += length;
      if (this.#at > this.#bytes.length) this.failed = true;
      return this.failed ? '' : this.#decoder.decode(this.#bytes.subarray(from, this.#at));
    });
  }

  /** Reads the reals into the values that wait for them; true if nothing failed and nothing is left over. */
  endedWell(): boolean {
    if (this.failed || this.#bytes.length - this.#at !== this.#pending.length * 8) return false;
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    for (const { values, index } of this.#pending) {
      values[index] = view.getFloat64(this.#at, true);
      this.#at += 8;
    }
    return true;
  }
}
