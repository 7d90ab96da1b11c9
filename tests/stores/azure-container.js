// azure-container.js PORT ACCOUNT KEY CONTAINER: makes a container in Azurite. That takes one signed
// request, which the engine never makes.
const crypto = require("crypto");
const http = require("http");

const [port, account, key, container] = process.argv.slice(2);
const date = new Date().toUTCString();
const version = "2021-08-06";
const signed = [
  "PUT", ..."\n".repeat(10).split("\n"), `x-ms-date:${date}`, `x-ms-version:${version}`,
  `/${account}/${account}/${container}`, "restype:container",
].join("\n");
const code = crypto.createHmac("sha256", Buffer.from(key, "base64")).update(signed).digest("base64");
const headers = {
  "x-ms-date": date,
  "x-ms-version": version,
  "content-length": 0,
  authorization: `SharedKey ${account}:${code}`,
};
const path = `/${account}/${container}?restype=container`;
const request = http.request({ host: "127.0.0.1", port, method: "PUT", path, headers }, (answer) => {
  answer.resume();
  process.exitCode = answer.statusCode === 201 ? 0 : 1;
});
request.on("error", () => (process.exitCode = 1));
request.end();
