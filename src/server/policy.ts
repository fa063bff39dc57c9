import { readFile } from 'node:fs/promises';
import type { SchemaObject } from 'ajv';
import { parse } from 'yaml';
import type { PolicyOptions } from '../policy/options.ts';
import type { ShownIdentity } from '../policy/name-rule.ts';
import { createPolicy, type Policy } from '../policy/policy.ts';
import type { AliasBackend } from './alias-backend.ts';

/**
 * Makes the policy of an alias; rejects with a plain sentence when a file or a rule makes no sense. What clients can show is
 * known where the backend is.
 */
export async function openPolicy(options: PolicyOptions, shown?: ShownIdentity): Promise<Policy> {
  const { schema } = options;
  return createPolicy(options, typeof schema === 'string' ? await readSchema(schema) : schema, shown);
}

/** What clients of an alias can show of themselves. A renewal asks for new names by ChangeSubjectName alone. */
export function shownAt({ authentication, renewalAuthentication, policy }: AliasBackend): ShownIdentity {
  const modes = [authentication, ...(policy.changeSubjectName ? [renewalAuthentication] : [])];
  return {
    user: modes.some((mode) => mode !== 'clientCertificate'),
    certificate: modes.some((mode) => mode !== 'basic'),
  };
}

/** JSON is YAML, too. */
async function readSchema(file: string): Promise<SchemaObject> {
  const text = await readFile(file, 'utf8');
  const schema = parseText(file, text);
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new Error(`policy.schema: ${file} holds no JSON Schema, which is a mapping.`);
  }
  return schema;
}

function parseText(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`policy.schema: ${file} is neither JSON nor YAML.`, { cause: error });
  }
}
