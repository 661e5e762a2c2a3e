// Does with the npm package `akismet-api` all that it can; prints what came of it.
// Arguments: host and port of the service, key, a good comment, a bad one.
const { AkismetClient } = require("akismet-api");

// A connection that is kept may be closed by the server at the moment when it is used again (RFC
// 9112, section 9.3.1), and these packages do not try anew: each request has one of its own.
for (const kind of ["http", "https"]) require(`node:${kind}`).globalAgent.keepAlive = false;

// Nobody's name servers know KEY.localhost.
const dns = require("node:dns");
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(name.endsWith(".localhost") ? "127.0.0.1" : name, ...rest);

const [host, key, good, bad] = process.argv.slice(2);
const client = (options) =>
  new AkismetClient({ key, blog: "https://news.example/", host, protocol: "http", ...options });

const comment = (content, more) => ({
  ip: "203.0.113.7",
  useragent: "Firefox",
  permalink: "https://news.example/bridge",
  name: "Zoë O'Hara",
  email: "zoe@example.org",
  type: "comment",
  content,
  ...more,
});

const outcome = (promise) => promise.then((value) => value, (error) => `error: ${error.message}`);

(async () => {
  const site = client();
  const found = {
    valid: await site.verifyKey(),
    invalid: await client({ key: "0123456789ab" }).verifyKey(),
    good: await site.checkSpam(comment(good)),
    bad: await site.checkSpam(comment(bad)),
    honeypot: await site.checkSpam(comment("A trap?", { honeypot: "I am a program" })),
    test: await site.checkSpam(comment(good, { isTest: true, name: "viagra-test-123" })),
    administrator: await site.checkSpam(comment(bad, { isTest: true, role: "administrator" })),
    stranger: await outcome(client({ key: "0123456789ab" }).checkSpam(comment(good))),
    nowhere: await outcome(site.checkSpam(comment(good, { ip: "" }))),
    spam: (await site.submitSpam(comment(good))).text,
    ham: (await site.submitHam(comment(bad))).text,
  };
  console.log(JSON.stringify(found));
})();
