/// The terminals of Lark's library `common`, as regular expressions.
enum LarkCommon {
    private static let float = #"(?:[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"#
    private static let number = "(?:\(float)|[0-9]+)"

    static let expressions: [String: String] = [
        "DIGIT": "[0-9]", "HEXDIGIT": "[0-9A-Fa-f]", "INT": "[0-9]+", "SIGNED_INT": "[+-]?[0-9]+",
        "DECIMAL": #"[0-9]+\.[0-9]*|\.[0-9]+"#, "FLOAT": float, "SIGNED_FLOAT": "[+-]?" + float, "NUMBER": number,
        "SIGNED_NUMBER": "[+-]?" + number,
        // Through the first quotation mark behind an even number of backslashes.
        "ESCAPED_STRING": #""(?:[^"\\\n]|\\[^\n])*""#,
        "LCASE_LETTER": "[a-z]", "UCASE_LETTER": "[A-Z]", "LETTER": "[A-Za-z]", "WORD": "[A-Za-z]+",
        "CNAME": "[_A-Za-z][_A-Za-z0-9]*", "WS_INLINE": #"[ \t]+"#, "WS": #"[ \t\f\r\n]+"#, "CR": #"\r"#, "LF": #"\n"#,
        "NEWLINE": #"(?:\r?\n)+"#, "SH_COMMENT": #"#[^\n]*"#, "CPP_COMMENT": "//[^\\n]*",
        "C_COMMENT": #"/\*(?:.|\n)*?\*/"#, "SQL_COMMENT": #"--[^\n]*"#,
    ]
}
