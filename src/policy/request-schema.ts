import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import type { SchemaObject } from 'ajv';
import { RE2JS } from 're2js';
import { EstError } from '../errors.ts';
import type { Check } from './check.ts';
import { missing, offendingValue } from '../pkix/offending.ts';
import type { RequestView } from './request-view.ts';
import { refuseIdleSchema } from './schema-check.ts';

/** What an operator's JSON Schema says about a request. */
export type RequestSchema = (view: RequestView) => Check;

/**
 * Compiles a JSON Schema (2020-12) over the view of a request. Throws an Error with a plain sentence for a keyword,
 * a format or a name of a member that there is not: a rule with a typing mistake would allow everything.
 */
export function createRequestSchema(schema: SchemaObject): RequestSchema {
  const validate = compile(schema);
  return (view) => ({
    rule: 'policy.schema',
    check: () => {
      // An asynchronous schema answers with a promise, which is no yes.
      const verdict: unknown = validate(view);
      if (verdict === true) return;
      const [error] = validate.errors?.slice(-1) ?? [];
      const path = pathOf(error);
      throw new EstError('refused_by_policy', sentence(path), {
        refusedBy: {
          rule: `policy.schema${error?.schemaPath ?? ''}`,
          path,
          ...(error !== undefined && { offending: offendingPartOf(view, error, path) }),
        },
      });
    },
  });
}

function compile(schema: SchemaObject) {
  const ajv = new Ajv2020({
    strictTypes: false,
    strictTuples: false,
    logger: false,
    code: { regExp: linearTime },
  });
  try {
    const validate = ajv.compile(schema);
    refuseIdleSchema(schema, (pattern, name) => linearTime(pattern).test(name));
    return validate;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`policy.schema: ${reason.replace(/\.?$/, '.')}`, { cause: error });
  }
}

/**
 * What devices send can keep no expression busy: RE2 goes over a text once, and refuses what it could not do so. Ajv tells
 * expressions apart by `toString`, which is their pattern, and wants to know the function by a name in source code.
 */
const linearTime = Object.assign((pattern: string) => RE2JS.compile(RE2JS.translateRegExp(pattern)), {
  code: 'linearTime',
});

/** Such as `key.bits`; empty: the request as a whole. */
function pathOf(error: ErrorObject | undefined): string {
  const steps = (error?.instancePath ?? '').split('/').slice(1);
  const { missingProperty } = (error?.params ?? {}) as { readonly missingProperty?: string };
  return [...steps, ...(missingProperty === undefined ? [] : [missingProperty])].join('.');
}

/** The value at the place; where something is missing there, or it is no single value, the place alone. */
function offendingPartOf(view: RequestView, { instancePath, params }: ErrorObject, path: string): string {
  if ('missingProperty' in params) return missing(path);
  const value = instancePath
    .split('/')
    .slice(1)
    .reduce<unknown>((part, step) => (part as Readonly<Record<string, unknown>>)[step], view);
  if (typeof value === 'string') return offendingValue(path, value);
  return typeof value === 'object' ? path || 'request' : offendingValue(path, JSON.stringify(value));
}

function sentence(path: string): string {
  const where = path === '' ? 'this request' : `what this request has, or lacks, as ${path}`;
  return `The policy of this alias does not allow ${where}.`;
}
