import type { Compilable, QueryResult } from 'kysely';
import type { Database } from './database.ts';

/** Stands for a value that is known only when the query runs. */
interface Placeholder {
  readonly placeholder: string;
}

/** Runs a query that was built once, with the values of one call. */
export type PreparedQuery<Values extends object, Row> = (
  database: Database,
  values: Values,
) => Promise<QueryResult<Row>>;

/**
 * Builds a query once, at start: building costs several times what SQLite needs to run it. `build` gets a
 * function that gives the place of a value by its name.
 */
export function prepared<Values extends object, Row>(
  build: (place: <Name extends keyof Values & string>(name: Name) => Values[Name]) => Compilable<Row>,
): PreparedQuery<Values, Row> {
  // The builder passes values through untouched, so a placeholder comes out where its value would.
  const place = <Name extends keyof Values & string>(name: Name): Values[Name] =>
    ({ placeholder: name }) as unknown as Values[Name];
  const compiled = build(place).compile();
  return async function run(database, values) {
    const parameters = compiled.parameters.map((parameter) =>
      isPlaceholder(parameter) ? Reflect.get(values, parameter.placeholder) : parameter,
    );
    return await database.run({ ...compiled, parameters });
  };
}

function isPlaceholder(parameter: unknown): parameter is Placeholder {
  return typeof parameter === 'object' && parameter !== null && 'placeholder' in parameter;
}
