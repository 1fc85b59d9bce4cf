/** Reads what vmagent writes: its remote write protocol is protobuf in zstd (prometheus/prompb, WriteRequest). */
import { zstdDecompressSync } from 'node:zlib';
import protobuf from 'protobufjs/minimal.js';

export interface WrittenSample {
  readonly name: string;
  readonly value: number;
}

const MAX_BYTES = 64 * 1024 * 1024;

export function readWriteRequest(body: Uint8Array): readonly WrittenSample[] {
  const reader = protobuf.Reader.create(zstdDecompressSync(body, { maxOutputLength: MAX_BYTES }));
  const samples: WrittenSample[] = [];
  eachField(reader, reader.len, (field) => {
    if (field !== 1) return false;
    samples.push(...readSeries(reader));
    return true;
  });
  return samples;
}

function readSeries(reader: protobuf.Reader): readonly WrittenSample[] {
  let name = '';
  const values: number[] = [];
  eachField(reader, reader.uint32() + reader.pos, (field) => {
    if (field === 1) {
      const [label, text] = readLabel(reader);
      if (label === '__name__') name = text;
    } else if (field === 2) {
      eachField(reader, reader.uint32() + reader.pos, (inner) => {
        if (inner === 1) values.push(reader.double());
        return inner === 1;
      });
    }
    return field === 1 || field === 2;
  });
  return values.map((value) => ({ name, value }));
}

function readLabel(reader: protobuf.Reader): readonly [name: string, value: string] {
  let name = '';
  let value = '';
  eachField(reader, reader.uint32() + reader.pos, (field) => {
    if (field === 1) name = reader.string();
    else if (field === 2) value = reader.string();
    return field === 1 || field === 2;
  });
  return [name, value];
}

/** Hands each field's number to `read`, which says whether it took the field. */
function eachField(reader: protobuf.Reader, end: number, read: (field: number) => boolean): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (!read(tag >>> 3)) reader.skipType(tag & 7);
  }
}
