// Usage: node parse.mjs FOLDER < [{"language": "promql", "text": "…"}, …]
// FOLDER has node_modules with the grammars. For each question: where it is wrong, and what it selects from series.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const load = createRequire(`${process.argv[2]}/`);
const GRAMMARS = {
  promql: load("@prometheus-io/lezer-promql"),
  logql: load("@grafana/lezer-logql"),
  traceql: load("@grafana/lezer-traceql"),
};

function parsed({ language, text }) {
  const wrong = [];
  const selectors = [];
  GRAMMARS[language].parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError) wrong.push(node.from);
      if (node.name === "VectorSelector") selectors.push(text.slice(node.from, node.to));
    },
  });
  return { wrong, selectors };
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(parsed)));
