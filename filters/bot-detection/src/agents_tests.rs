use super::*;
use crate::rules::{AI, BUILTIN};
use proptest::prelude::*;

fn builtin() -> Agents {
    Agents::new(&[], &[], BUILTIN).unwrap()
}

fn bot(name: &'static str) -> Verdict {
    Verdict::Bot(name.into())
}

#[test]
fn each_builtin_rule_finds_its_bots() {
    let agents = builtin();
    for (user_agent, rule) in [
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "pingdom"),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebook"),
        ("Google (+https://developers.google.com/+/web/snippet/)", "google_plus"),
        ("Twitterbot/1.0", "twitter"),
        ("aws-sdk-java/1.11.4 Linux", "aws"),
        ("Boto3/1.26.1", "aws"),
        ("Mozilla/5.0 Chrome/1 PTST/190", "webpagetest"),
        ("Mozilla/5.0 (compatible) /YisouSpider 5", "bot_after_slash"),
        ("Grub/1", "crawler_by_name"),
        ("Y!J-BRW/1.0", "crawler_by_name"),
        ("Mozilla/4.0 (compatible; MSIE 5.01; Windows 98) MSIECrawler)", "msie_crawler"),
        ("Go-http-client/1.1", "http_library"),
        ("okhttp", "http_library"),
        ("axios/1.6", "http_library"),
        ("Googlebot/2.1 (+http://www.google.com/bot.html)", "known_bot"),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", "known_bot"),
        ("Yeti/1.1", "known_bot"),
        ("NING/1.0", "known_bot"),
        ("Mozilla/5.0 (compatible; GPTBot/1.2)", "bot_with_version"),
        ("ClaudeBot/1.0", "bot_with_version"),
        ("some Bot 3", "bot_with_version"),
        ("a SPIDER", "crawler"),
        ("WebCrawler", "crawler"),
    ] {
        assert_eq!(agents.verdict(user_agent.as_bytes()), bot(rule), "{user_agent}");
    }
}

#[test]
fn browsers_and_tools_are_nobodys_bots() {
    let chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.2661.102 Safari/537.36";
    for user_agent in [
        "",
        " ",
        chrome,
        "HELLOWORLD",
        "curl/7.43.0",
        "python-requests/2.31",
        "PostmanRuntime/7.1",
        "kube-probe/1.29",
        "ELB-HealthChecker/2.0",
        "Mozilla/5.0 (Linux; Android 7.0; CUBOT NOTE) AppleWebKit/537.36",
        "I am MANNING",
    ] {
        assert_eq!(builtin().verdict(user_agent.as_bytes()), Verdict::Unknown, "{user_agent}");
    }
}

#[test]
fn what_is_allowed_comes_before_what_is_denied_and_that_before_the_builtin_rules() {
    let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let agents =
        Agents::new(&own(&["good", "facebook"]), &own(&["HELLO", "good"]), BUILTIN).unwrap();
    for (user_agent, verdict) in [
        ("facebookexternalhit/1.1", Verdict::Allowed("allow_1".into())),
        ("HELLOWORLD", bot("deny_0")),
        ("HELLO Googlebot", bot("deny_0")),
        ("good Googlebot HELLO", Verdict::Allowed("allow_0".into())),
        // Case matters, as in Kong.
        ("hello", Verdict::Unknown),
    ] {
        assert_eq!(agents.verdict(user_agent.as_bytes()), verdict, "{user_agent}");
    }
}

#[test]
fn white_space_around_does_not_count() {
    assert_eq!(builtin().verdict(b"  NING/1.0\t"), bot("known_bot"));
    assert_eq!(builtin().verdict(b"x PTST/190 "), bot("webpagetest"));
}

#[test]
fn each_rule_about_language_models_finds_what_it_is_named_for() {
    let agents = Agents::new(&[], &[], AI).unwrap();
    for (user_agent, rule) in [
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "ai_openai",
        ),
        ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "ai_anthropic"),
        ("Mozilla/5.0 (compatible; GoogleOther)", "ai_google"),
        (
            "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
            "ai_meta",
        ),
        (
            "Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
            "ai_perplexity",
        ),
        ("CCBot/2.0 (https://commoncrawl.org/faq/)", "ai_common_crawl"),
        (
            "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
            "ai_bytedance",
        ),
    ] {
        assert_eq!(agents.verdict(user_agent.as_bytes()), bot(rule), "{user_agent}");
    }
    // The rules for AI crawlers do not cover search engines.
    assert_eq!(agents.verdict(b"Googlebot/2.1"), Verdict::Unknown);
}

#[test]
fn names_are_plain_and_different() {
    let names: Vec<_> = BUILTIN.iter().chain(&AI).map(|(name, _)| *name).collect();
    for (n, name) in names.iter().enumerate() {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert!(!names[..n].contains(name), "{name}");
    }
}

#[test]
fn a_mistake_is_told_in_one_line() {
    assert_eq!(mistake("ok.*"), None);
    for (pattern, says) in [
        ("(", "unclosed group"),
        ("*a", "repetition operator missing expression"),
        ("(?=a)", "look-around"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?:a{1000}){1000}", "size limit"),
    ] {
        let told = mistake(pattern).unwrap();
        assert!(told.contains(says) && !told.contains('\n'), "{pattern}: {told}");
    }
}

#[test]
fn a_long_and_hostile_user_agent_takes_no_longer_than_its_length() {
    let agents = Agents::new(&[], &[], BUILTIN.into_iter().chain(AI)).unwrap();
    for piece in [
        "Crawl",
        "a-Bot ",
        "favicon",
        "archive x",
        "WeSEE:",
        "MSIE 5.0;",
        " PTST/1",
        "\u{ff}Google/+/web",
    ] {
        patience::assert_linear(piece, 8 << 10, |length| {
            agents.verdict(piece.repeat(length / piece.len()).as_bytes());
        });
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_surprise(user_agent in proptest::collection::vec(any::<u8>(), 0..300)) {
        builtin().verdict(&user_agent);
    }

    #[test]
    fn a_rule_of_the_operators_finds_its_text_anywhere(
        before in "[ -~]{0,40}", text in "[a-z]{1,12}", after in "[ -~]{0,40}",
    ) {
        let agents = Agents::new(&[], std::slice::from_ref(&text), []).unwrap();
        let user_agent = format!("{before}{text}{after}");
        prop_assert_eq!(agents.verdict(user_agent.as_bytes()), bot("deny_0"));
    }
}
