import ConfigurationFiles
import Testing

@Suite struct GlobTests {
    @Test(arguments: [
        ("llama", "llama", true), ("llama", "llama-3", false), ("llama*", "llama-3", true), ("*-3", "llama-3", true),
        ("l*m*3", "llama-3", true), ("l*x*3", "llama-3", false), ("*", "", true), ("a*a", "a", false),
        ("a*a", "aa", true), ("**", "x", true), ("a**b", "ab", true), ("用*型", "用户模型", true), ("*ab*ab*", "ab", false),
    ])
    func `a star stands for anything`(_ pattern: String, _ name: String, _ matches: Bool) {
        #expect(Glob(pattern).matches(name) == matches)
    }
}
