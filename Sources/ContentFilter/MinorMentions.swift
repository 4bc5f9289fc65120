internal import RegularExpressions

/// Words that say that somebody is under eighteen: ages, children, school. None of them says anything by itself.
enum MinorMentions {
    /// In folded text; the score tells how surely a minor is meant.
    static func detectors() throws -> [PatternDetector] {
        try [
            PatternDetector(
                "age", .minor, score: 1,
                [
                    #"(?<![0-9a-z.,$€£-])(?:[1-9]|1[0-7])(?![0-9:%/]|[.,][0-9])(?:[ -]?(?:years?|yrs?|yo|y/o)(?:[ -]?olds?)?(?![a-z]))?"#,
                    #"(?<![a-z-])(?:four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)[ -]years?[ -]olds?(?![a-z])"#,
                    "岁", "年级",
                ].map { "(?i)" + $0 }.joined(separator: "|"), cut: age),
            PatternDetector(
                "child", .minor, score: 1,
                #"(?i)(?<![a-z])(?:child(?:ren)?|kid(?:s|dos?)?|toddlers?|infants?|pre-?teens?|tweens?|minors|minor(?= (?:and|or|who|is|was|in|with|by|to|at)\b|[.,!?;:)]|$)|under-?age[d]?|under 1[0-8]|school-?(?:girl|boy|kid|child|children)s?|(?:little|young|small) (?:girl|boy|sister|brother)s?|pre-?pubescents?|loli(?:con|ta)?s?|shota(?:con)?s?|(?:elementary|primary|middle|junior high)[ -]school(?:ers?)?|kindergart\w+|(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|[1-9](?:st|nd|rd|th))[ -]grade(?:rs?)?)(?![a-z])|未成年|儿童|幼[女童儿]|[女男]童|小学[生一二三四五六]?|初中|中学生|小[女男]孩|孩子|小孩|萝莉|正太|婴儿|初[一二三]"#
            ),
            PatternDetector(
                "young", .minor, score: 0.6,
                #"(?i)(?<![a-z])(?:teen(?:s|age|aged|agers?)?|high[ -]school(?:ers?)?|schools?|classmates?|pupils?)(?![a-z])|高中|学校|校服|少[女年](?!宫)|学生|班主任|青少年"#
            ),
        ]
    }

    /// A number is an age where it says so behind or before; `岁` and `年级` stand behind one.
    private static func age(_ match: [UInt8], _ before: PrecedingText) -> Int? {
        let hasUnit = match.count > 2 && match[0] < 0x80
        if hasUnit { return match.count }
        let text = String(decoding: before.bytes, as: UTF8.self)
        if match[0] < 0x80 { return introductions.contains { text.hasSuffix($0) } ? match.count : nil }
        let number = text.reversed().drop { $0 == " " }.prefix { $0.isASCII ? $0.isNumber : numerals.contains($0) }
        let isGrade = match.starts(with: "年".utf8)
        return isGrade
            ? grades.contains(String(number)) ? match.count : nil : years.contains(String(number)) ? match.count : nil
    }

    private static let introductions = [
        "age", "aged", "age of", "aged of", "turned", "turning", "turns", "i'm", "i am", "i was",
        "she's", "she is", "she was", "he's", "he is", "he was", "only", "just",
    ].map { $0 + " " }
    private static let numerals = Set("一二三四五六七八九十百零两")
    /// Written backwards.
    private static let grades = Set((1...6).map(String.init) + ["一", "二", "三", "四", "五", "六"])
    private static let years = Set(
        (1...17).map { String(String($0).reversed()) } + "一二三四五六七八九十".map { String($0) } + "一二三四五六七".map { "\($0)十" })

    /// Words of those who protect, judge, treat and teach.
    static func care() throws -> RegularExpression {
        try RegularExpression(
            #"(?i)(?<![a-z])(?:prevent\w*|protect\w*|safeguard\w*|abus(?:e[dr]?s?|ive)|victims?|survivors?|police|arrest\w*|convict\w*|charged|sentenced|courts?|trial|judges?|prosecut\w*|lawyers?|laws?|illegal|crim(?:es?|inals?)|report(?:s|ed|ing)?|helplines?|charit\w+|stud(?:y|ies)|research\w*|survey\w*|percent|educat\w*|curricul\w*|pubert\w*|pa?ediatric\w*|doctors?|nurses?|clinic\w*|patients?|medic\w*|diagnos\w+|symptoms?|vaccin\w*|hiv|sti|stds?|infect\w*|contracepti\w*|condoms?|health\w*|hospitals?|consent|polic(?:y|ies)|scandals?|allegations?|news|trafficking|counsel\w*|therap\w*)(?![a-z])|预防|防止|防范|保护|侵害|受害|警方|警察|逮捕|判刑|判处|法院|法律|犯罪|检察|举报|教育|课程|研究|调查|医生|医院|儿科|疾病|疫苗|健康|感染|避孕|案件|新闻|报道|政策|心理|咨询"#
        )
    }
}
