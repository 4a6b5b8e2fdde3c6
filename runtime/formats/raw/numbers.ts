/**
 * Numbers of fixed size, by Flink's names. A `bigint` is the long with all its digits.
 */
import { MalformedMessage } from '../format.ts'

export type RawNumberKind = 'tinyint' | 'smallint' | 'int' | 'long' | 'bigint' | 'float' | 'double'

export interface RawNumber {
  /** In bytes. */
  size: number
  read(view: DataView, at: number, little: boolean): number | bigint
  /** At the beginning of `view`. */
  write(view: DataView, value: any, little: boolean): void
  fits(value: unknown): boolean
}

const whole = (bits: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= -(2 ** (bits - 1)) && (value as number) < 2 ** (bits - 1)

const isNumber = (value: unknown) => typeof value === 'number'

const TWO_32 = 2 ** 32

export const NUMBERS: Record<RawNumberKind, RawNumber> = {
  tinyint: {
    size: 1,
    read: (view, at) => view.getInt8(at),
    write: (view, value) => view.setInt8(0, value),
    fits: whole(8),
  },
  smallint: {
    size: 2,
    read: (view, at, little) => view.getInt16(at, little),
    write: (view, value, little) => view.setInt16(0, value, little),
    fits: whole(16),
  },
  int: {
    size: 4,
    read: (view, at, little) => view.getInt32(at, little),
    write: (view, value, little) => view.setInt32(0, value, little),
    fits: whole(32),
  },
  long: {
    size: 8,
    read(view, at, little) {
      const high = view.getInt32(little ? at + 4 : at, little)
      const value = high * TWO_32 + view.getUint32(little ? at : at + 4, little)
      if (Number.isSafeInteger(value)) return value
      const exact = view.getBigInt64(at, little)
      throw new MalformedMessage(`the long ${exact} is beyond 2^53; rawNumber('bigint') reads it`)
    },
    write(view, value, little) {
      view.setInt32(little ? 4 : 0, Math.floor(value / TWO_32), little)
      view.setUint32(little ? 0 : 4, value % TWO_32, little)
    },
    fits: Number.isSafeInteger,
  },
  bigint: {
    size: 8,
    read: (view, at, little) => view.getBigInt64(at, little),
    write: (view, value, little) => view.setBigInt64(0, value, little),
    fits: (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  },
  float: {
    size: 4,
    read: (view, at, little) => view.getFloat32(at, little),
    write: (view, value, little) => view.setFloat32(0, value, little),
    fits: isNumber,
  },
  double: {
    size: 8,
    read: (view, at, little) => view.getFloat64(at, little),
    write: (view, value, little) => view.setFloat64(0, value, little),
    fits: isNumber,
  },
}
