// Loads decoder.js as a network server does, as a script without modules, and calls it for every
// line of JSON on stdin: [function, input].
"use strict";
const fs = require("fs");
const vm = require("vm");

const scope = vm.createContext({});
vm.runInContext(fs.readFileSync(process.argv[2], "utf8"), scope);
const lines = fs.readFileSync(0, "utf8").split("\n").filter((line) => line);
const answers = lines.map((line) => {
  const [name, input] = JSON.parse(line);
  scope.input = input;
  return JSON.stringify(vm.runInContext(name + "(input)", scope));
});
process.stdout.write(answers.join("\n") + "\n");
