import { Compile } from 'typebox/schema';
import { type Static, type TEnum, type TObject, type TProperties, type TSchema, Type } from './type.ts';

/** The one way to write shapes: what stands above contract takes it from here. */
export { Type, type Static };

/** An object that refuses every field it does not name: an unknown field could be a restriction that this version would ignore. */
export const shape = <P extends TProperties>(properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false });

export const oneOf = <const V extends string[]>(...values: V): TEnum<V> =>
  Type.Enum(values) as unknown as TEnum<V>;

export const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

/** Whole numbers that survive every JSON reader. */
export const whole = (minimum = 0, maximum = Number.MAX_SAFE_INTEGER) => Type.Integer({ minimum, maximum });

export interface Fault {
  /** RFC 6901 pointer to the field. */
  readonly pointer: string;
  readonly detail: string;
}

export interface Check<T> {
  readonly schema: TSchema;
  is(value: unknown): value is T;
  faults(value: unknown): Fault[];
}

/** Compiles on first use: a program pays only for the shapes it meets. */
export function check<S extends TSchema>(schema: S): Check<Static<S>> {
  let compiled: ReturnType<typeof Compile> | undefined;
  const compile = () => (compiled ??= Compile(schema as TSchema));
  return {
    schema,
    is: (value): value is Static<S> => compile().Check(value),
    faults: (value) =>
      compile()
        .Errors(value)[1]
        .filter((error) => error.keyword !== 'boolean')
        .slice(0, 8)
        .map((error) => ({ pointer: error.instancePath, detail: error.message })),
  };
}
