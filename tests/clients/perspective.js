// Does with two npm packages all that they can; prints what came of it.
// Arguments: key, a bad comment.
const PerspectiveClient = require("perspective-api-client");
const { Client } = require("@conversationai/perspectiveapi-js-client");

// A connection that is kept may be closed by the server at the moment when it is used again (RFC
// 9112, section 9.3.1), and these packages do not try anew: each request has one of its own.
for (const kind of ["http", "https"]) require(`node:${kind}`).globalAgent.keepAlive = false;

const [key, bad] = process.argv.slice(2);
const outcome = (promise) => promise.then((value) => value, (error) => `error: ${error.message}`);

(async () => {
  const one = new PerspectiveClient({ apiKey: key });
  const found = {
    toxicity: await one.analyze(bad),
    several: await one.analyze(`<b>${bad}</b>`, { attributes: ["insult", "threat"] }),
    whole: await one.analyze({
      comment: { text: bad },
      requestedAttributes: { INSULT: { scoreThreshold: 0.99999 } },
      clientToken: "t1",
    }),
    truncated: await one.analyze(`${bad} `.repeat(1000), { truncate: true }),
    untrained: await outcome(one.analyze(bad, { attributes: ["flirtation"] })),
    empty: await outcome(one.analyze("", { validate: false })),
    stranger: await outcome(new PerspectiveClient({ apiKey: "wrong" }).analyze(bad)),
    another: await new Client(key).getScores(bad),
    french: await outcome(new Client(key).getScores(bad, { languages: ["fr"] })),
  };
  console.log(JSON.stringify(found));
})();
