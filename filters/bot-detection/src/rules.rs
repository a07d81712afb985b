//! The filter's own rules: a name, and an expression that finds the User-Agents of that kind.

/// The rule's name, for metrics and the tag, and its regular expression.
pub(crate) type Named = (&'static str, &'static str);

/// Fourteen rules that decide as those of Kong 3.9, which come from ua-parser (uap-core). Parts
/// that only extract versions, or that are optional at the ends, do not affect the decision and are
/// left out.
pub(crate) const BUILTIN: [Named; 14] = [
    ("pingdom", r"Pingdom\.com_bot_version_\d+\.\d"),
    ("facebook", r"facebookexternalhit/\d+\.\d"),
    ("google_plus", r"Google.*/\+/web/snippet"),
    ("twitter", r"Twitterbot/\d+\.\d"),
    (
        "aws",
        r"\b(?:Boto3?|JetS3t|aws-(?:cli|sdk-(?:cpp|go|java|nodejs|ruby2?|dotnet-(?:\d{1,2}|core)))|s3fs)/\d+\.\d",
    ),
    ("webpagetest", r" PTST/\d+\.?\d+$"),
    (
        "bot_after_slash",
        r"/(?:(?:Ant-)?Nutch|[A-z]+[Bb]ot|[A-z]+[Ss]pider|Axtaris|fetchurl|Isara|ShopSalad|Tailsweep)[ \-]\d",
    ),
    (
        "crawler_by_name",
        r"\b(?:008|Altresium|Argus|BaiduMobaider|BoardReader|DNSGroup|DataparkSearch|EDI|Goodzer|Grub|INGRID|Infohelfer|LOOQ|LinkedInBot|Nutch|OgScrper|PathDefender|Peew|PostPost|Steeler|Twitterbot|VSE|WebCrunch|WebZIP|Y!J-BR[A-Z]|YahooSeeker|envolk|sproose|wminer)/\d",
    ),
    ("msie_crawler", r"MSIE \d+\.\d+(?:[a-z]\d|[a-z]|);.* MSIECrawler"),
    (
        "http_library",
        r"Google-HTTP-Java-Client|Apache-HttpClient|Go-http-client|scalaj-http|http%20client|Python-urllib|HttpMonitor|TLSProber|WinHTTP|JNLP|okhttp|aihttp|reqwest|axios|unirest-(?:java|python|ruby|nodejs|php|net)",
    ),
    ("known_bot", KNOWN),
    (
        "bot_with_version",
        r"(?:[Aa]rchiver|[Ii]ndexer|[Ss]craper|[Bb]ot|[Ss]pider|[Cc]rawl[a-z]{0,50})[/ ]\d",
    ),
    (
        "bot_before_number",
        r"(?:[Aa]rchiver|[Ii]ndexer|[Ss]craper|[Bb]ot|[Ss]pider|[Cc]rawl[a-z]{0,50}) \d",
    ),
    ("crawler", r"[Ss][Pp][Ii][Dd][Ee][Rr]|[Ss]crape|[Cc][Rr][Aa][Ww][Ll]"),
];

const KNOWN: &str = concat!(
    r"^NING|^Zao|^vortex|^voyager|\bYeti|\b\w{0,30}favicon\w{0,30}\b|jbot\b",
    r"|[Bb]ai[Dd]u[Ss]pider-[A-Za-z]|[Cc]harlotte|archive.{0,30}\.org_bot|boitho.com-dc|Accoona-[A-z]{1,30}-Agent",
    r"|IP2[a-z]{1,30}Bot|Microsoft .{0,30} Bot|WASALive.Bot|WeSEE:[A-z]|Xenu(?:.s|) Link Sleuth|Xerka [A-z]{1,30}Bot|Yandex\w",
    r"|123metaspider-Bot|1470\.net crawler|50\.nu|8bo Crawler Bot|Aboundex|AdsBot-Google|AppEngine-Google|Ask Jeeves",
    r"|BUbiNG|BingPreview|BlogBridge|Bloglovin|BoardReader Blog Indexer|BoardReader Favicon Fetcher|BotName/\$BotVersion|BotSeer",
    r"|CRAWL-E|CSimpleSpider|Catchpoint|Checklinks|Cityreview Robot|Comodo HTTP\(S\) Crawler|Comodo-Webinspector-Crawler",
    r"|ConveraCrawler|CrawlConvera|CrawlDaddy|CrawlFire|Daumoa|Feed Seeker Bot|Feedbin|Finderbots|Flamingo_SearchEngine",
    r"|FollowSite Bot|Genieo|GomezAgent|Google SketchUp|Googlebot|HiddenMarket|HooWWWer|ICC-Crawler|Icarus6j|IconSurf",
    r"|IlTrovatore|Index crawler|InfuzApp|Innovazion Crawler|InternetArchive|Job Roboter|KaloogaBot|KiwiStatus Spider|Kraken",
    r"|Kurzor|LEIA|LesnikBot|Lijit Crawler|Linguee Bot|LinkAider|LinkedInBot|Lite Bot|Llaut|MJ12bot|Mail\.RU_Bot",
    r"|Mediapartners-Google|Mtps Feed Aggregation System|Netvibes|NewsGator|Nutch|Nymesis|OOZBOT|ObjectsSearch|OgScrper|Orbiter",
    r"|PagePeeker|PagesInventory|PaxleFramework|Peeplo Screenshot Bot|PlantyNet_WebRobot|Pompos|QuerySeekerSpider|Qwantify",
    r"|Read%20Later|Reaper|RedCarpet|Retreiver|Riddler|Rival IQ|SEOstats|ScollSpider|Scrapy|Scrubby|SemrushBot|SimplePie|SimpleRSS",
    r"|Simpy|SiteCat Webbot|SiteCon|Slack-ImgProxy|Slackbot-LinkExpanding|Slurp|Speedy Spider|Squrl Java|Stringer|TheUsefulbot",
    r"|ThumbShotsBot|Thumbshots\.ru|Tiny Tiny RSS|Trends Crawler|Twitterbot|URL2PNG|USyd-NLP-Spider|Vagabondo|VoilaBot|Votay bot",
    r"|WIRE|Web-sniffer|WebThumb|WhatWeb|WhatsApp|WordPress|Wotbox|YahooSeeker|YodaoBot|YottaaMonitor|Yowedo|ZeBot_www\.ze\.bz",
    r"|ZooShot|ZyBorg|altavista|archiver|bingbot|blitzbot|clumboot|findlinks|furlbot|gigabot|gonzo1|grub-client|gsa-crawler",
    r"|heritrix|holmes|htdig|ia_archiver|ichiro|larbin|lycos|masidani_bot|masscan|mogimogi|mozDex|msnbot|msrbot|netresearch",
    r"|scooter|searchsight|seekbot|semanticdiscovery|snappy|www\.almaden\.ibm\.com|yacy",
);

/// Crawlers that fetch for language models: for training, for their search indexes, and on behalf
/// of users.
pub(crate) const AI: [Named; 21] = [
    ("ai_openai", r"GPTBot|ChatGPT-User|OAI-SearchBot"),
    ("ai_anthropic", r"ClaudeBot|Claude-User|Claude-SearchBot|Claude-Web|anthropic-ai"),
    ("ai_google", r"Google-CloudVertexBot|GoogleOther|Gemini-Deep-Research|Google-NotebookLM"),
    ("ai_meta", r"(?i:meta-external(?:agent|fetcher))|FacebookBot"),
    ("ai_apple", r"Applebot"),
    ("ai_amazon", r"Amazonbot|NovaAct"),
    ("ai_bytedance", r"Bytespider|TikTokSpider"),
    ("ai_perplexity", r"PerplexityBot|Perplexity-User"),
    ("ai_mistral", r"MistralAI-User"),
    ("ai_cohere", r"cohere-ai|cohere-training-data-crawler"),
    ("ai_duckduckgo", r"DuckAssistBot"),
    ("ai_you", r"YouBot"),
    ("ai_common_crawl", r"CCBot"),
    ("ai_allen", r"AI2Bot"),
    ("ai_diffbot", r"Diffbot"),
    ("ai_huawei", r"PanguBot|PetalBot"),
    ("ai_webz", r"[Oo]mgili(?:bot)?|webzio"),
    ("ai_imagesift", r"ImagesiftBot"),
    ("ai_timpi", r"Timpibot"),
    ("ai_deepseek", r"DeepSeekBot"),
    ("ai_kangaroo", r"Kangaroo Bot"),
];
