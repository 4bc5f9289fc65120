/// Patterns of prompts that try to talk a model out of what it was told, English and Chinese, in folded text.
enum InjectionPatterns {
    static func detectors() throws -> [PatternDetector] {
        try injections.map { try PatternDetector($0.0, .promptInjection, score: $0.1, "(?i)" + $0.2) }
            + jailbreaks.map { try PatternDetector($0.0, .jailbreak, score: $0.1, "(?i)" + $0.2) }
    }

    private static let injections: [(String, Double, String)] = [
        (
            "ignore-instructions", 0.9,
            #"\b(?:ignore|disregard|forget|bypass|override|skip|do not follow|don't follow)\s{1,3}(?:\w{1,12}\s{1,3}){0,4}(?:instructions?|prompts?|rules|guidelines|directives?|commands|programming|constraints|training)\b"#
        ),
        (
            "forget-everything", 0.8,
            #"\b(?:forget|ignore|disregard) (?:all|everything|anything)(?: \w{1,12}){0,3} (?:above|before|previous(?:ly)?|prior|told|said|know)\b"#
        ),
        (
            "reveal-prompt", 0.85,
            #"\b(?:reveal|show|print|repeat|output|display|tell|give|share|leak|recite|write out|what (?:is|are|was|were))\b(?: \w{1,10}){0,4} (?:your|the|its) (?:\w{1,10} ){0,3}(?:system (?:prompt|message|instructions?)|initial (?:prompt|instructions?)|hidden (?:prompt|instructions?)|original (?:prompt|instructions?)|secret (?:prompt|instructions?))"#
        ),
        (
            "repeat-above", 0.8,
            #"\b(?:repeat|print|output|copy|summari[sz]e|translate)\b(?: \w{1,10}){0,5} (?:words|text|everything|content|instructions?|sentences?) (?:\w{1,6} ){0,2}(?:above|before this|so far)\b"#
        ),
        (
            "control-tokens", 0.85,
            #"<\|(?:im_start|im_end|system|endoftext|eot_id|start_header_id|end_header_id)\|>|\[/?INST\]|<</?SYS>>|</?(?:system|sys)_?(?:prompt|message)?>"#
        ),
        ("new-system", 0.75, #"\b(?:new|updated|real|actual) (?:system )?(?:instructions?|prompt|directives?)\s?:"#),
        (
            "忽略指令", 0.9,
            #"(?:忽略|无视|忘记|忘掉|不要理会|不用理会|跳过|绕过|不要遵守|不遵守).{0,12}(?:指令|指示|提示词?|规则|设定|要求|限制|说明|命令|内容|对话)"#
        ),
        (
            "透露提示", 0.85,
            #"(?:输出|显示|透露|泄露|告诉我|打印|复述|重复|给我看|公开|展示|说出).{0,10}(?:系统提示词?|系统指令|初始提示词?|初始指令|隐藏指令|系统消息|提示词原文|上面的(?:全部|所有)?(?:文字|内容|指令))"#
        ),
    ]

    private static let jailbreaks: [(String, Double, String)] = [
        (
            "do-anything-now", 0.95,
            #"\bdo anything now\b|\byou are (?:now )?(?:going to (?:act|pretend) (?:as|to be) )?(?:a )?\bDAN\b|\bDAN (?:mode|prompt|jailbreak)\b|\bstay (?:a )?DAN\b"#
        ),
        (
            "named-persona", 0.9,
            #"\b(?:AIM|STAN|DUDE|BetterDAN|EvilBOT|MachiavelliBOT|UCAR|Maximum|DevMode|AntiGPT|BasedGPT)\b(?= (?:mode|is|will|has|can|should|never|always|must|response|:))(?=.{0,120}\b(?:unfiltered|amoral|immoral|illegal|unethical|restrictions?|guidelines|policy|policies)\b)"#
        ),
        (
            "mode", 0.85,
            #"\b(?:developer|debug|god|jailbreak(?:ed)?|unrestricted|uncensored|unfiltered|admin(?:istrator)?|sudo|evil|opposite) mode(?= |[.,:;!?"')]|\n)(?=.{0,200}\b(?:enabled?|on|output|response|activat\w{1,4}|chatgpt|ai|model|you)\b)"#
        ),
        (
            "no-restrictions", 0.85,
            #"\b(?:without|no|free (?:of|from)|not (?:bound|limited|restricted) by|(?:does|do|will|must|can)(?: not|n't) (?:have|follow|obey|care about|be bound by)|ignor\w{1,3}|bypass\w{0,3}|remove) (?:\w{1,12} ){0,5}(?:restrictions?|limitations?|guidelines|filters?|censorship|content polic(?:y|ies)|moral(?:s|ity)?|ethic(?:s|al \w{1,12})|safety (?:\w{1,10} ){0,1}(?:guidelines|protocols?|measures|filters?)|openai(?:'s)? (?:\w{1,10} ){0,2}(?:polic(?:y|ies)|rules|guidelines))\b"#
        ),
        (
            "broken-free", 0.85,
            #"\b(?:broken free|freed|liberated|released) (?:of|from) (?:the |all |its |your |their )?(?:typical |usual |normal )?(?:confines|chains|shackles|constraints|restrictions|limitations?)\b"#
        ),
        (
            "never-refuse", 0.8,
            #"\b(?:never|cannot|can't|do not|don't|won't|not allowed to|must not) (?:ever )?(?:refuse|reject|decline|say (?:no|that you can't|"i can't"|"i cannot"|"sorry"|"i'm sorry"))\b|\bnever (?:say|use|reply with|respond with|include|mention) (?:\w{1,10} ){0,4}(?:"?sorry|"?i can ?not|"?i can't|apologi[sz]e|apology|disclaimers?|warnings?)"#
        ),
        (
            "no-longer-an-ai", 0.7,
            #"\byou are (?:no longer|not) (?:an? )?(?:ai\b|language model|chatgpt|assistant|gpt-?[0-9.]{0,3})|\bpretend (?:that )?you (?:are not|aren't|have no|are (?:an )?(?:evil|unrestricted|uncensored|unfiltered|amoral|immoral))\b"#
        ),
        (
            "two-answers", 0.8,
            #"\b(?:two|2) (?:different )?(?:responses|answers|ways|replies|outputs)\b(?=.{0,250}(?:\[|\b(?:DAN|jailbreak|unfiltered|developer mode|gpt\b.{0,60}\bas\b)))"#
        ),
        (
            "amoral", 0.75,
            #"\b(?:amoral|unethical|immoral|unfiltered|uncensored|unrestricted|unhinged|evil) (?:\w{1,12} ){0,2}(?:ai|chatbot|bot|assistant|language model|machine|persona|character|version of (?:yourself|chatgpt|you)|gpt|response|answer|mode)\b"#
        ),
        (
            "regardless-of-law", 0.75,
            #"\b(?:no matter (?:how|if)|even if|regardless of (?:how|if|whether)?) ?(?:\w{1,12} ){0,5}(?:illegal|immoral|unethical|harmful|dangerous|offensive|inappropriate)\b"#
        ),
        (
            "越狱", 0.85,
            #"(?:越狱模式|开发者模式|上帝模式|无限制模式|调试模式).{0,20}(?:开启|启动|启用|进入|打开|输出|回答)|(?:开启|启动|启用|进入|打开|切换到).{0,6}(?:越狱|开发者模式|上帝模式|无限制模式|DAN模式)"#
        ),
        (
            "不受限制", 0.8,
            #"(?:没有|不受|摆脱|解除|去除|无视|突破|抛开|绕过|关闭).{0,8}(?:道德|伦理|法律|内容政策|安全|审查|审核|过滤).{0,6}(?:限制|约束|束缚|底线|准则|规范|机制|过滤|审查|政策)|(?:不受任何|没有任何)(?:限制|约束)的?.{0,6}(?:AI|人工智能|助手|机器人|模型|角色)"#
        ),
        (
            "不得拒绝", 0.75,
            #"(?:不能|不得|不可以|不要|不许|绝不|永远不).{0,4}(?:拒绝|推辞|说不|道歉)(?:.{0,6}(?:回答|请求|要求|问题|我))"#
        ),
        ("扮演", 0.7, #"(?:扮演|假装|假设).{0,10}(?:没有|不受|毫无|无).{0,4}(?:道德|限制|约束|底线|审查)"#),
    ]
}
