import type { CompiledQuery } from 'kysely';
import { type Compilable, type QueryExecutorProvider, type QueryResult } from 'kysely';

/** Stands for a value that is known only when the query runs. */
interface Placeholder {
  readonly placeholder: string;
}

/** Runs a query that was built once, with the values of one call. */
export type PreparedQuery<Values extends object, Row> = (
  executor: Executor,
  values: Values,
) => Promise<QueryResult<Row>>;

/** A database or a transaction. */
interface Executor extends QueryExecutorProvider {
  executeQuery<Row>(query: CompiledQuery<Row>): Promise<QueryResult<Row>>;
}

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
  return async function run(executor, values) {
    const parameters = compiled.parameters.map((parameter) =>
      isPlaceholder(parameter) ? Reflect.get(values, parameter.placeholder) : parameter,
    );
    return await executor.executeQuery<Row>({ ...compiled, parameters });
  };
}

function isPlaceholder(parameter: unknown): parameter is Placeholder {
  return typeof parameter === 'object' && parameter !== null && 'placeholder' in parameter;
}
