import Testing

@testable import Jinja

/// Nothing that a template says makes it run for ever, nest without end, or fill the memory.
@Suite struct BoundsTests {
    private static let deep = 3_000

    @Test(arguments: [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000000) %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}",
        "{% set ns = namespace(x={}) %}{% for i in range(90000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
        "{{ 'x' * 10 ** 12 }}", "{{ [1] * 10 ** 12 }}", "{{ 'x'.center(10 ** 12) }}", "{{ 'a\nb' | indent(10 ** 12) }}",
        "{{ '%1000000000d' % 1 }}", "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}", "{{ 9 ** 9 ** 9 }}",
        "{{ ('b' * 1000000).join('a' * 1000000) }}", "{{ [1] | batch(10 ** 12, 0) | list }}",
        "{{ [1] | slice(10 ** 12) | list }}",
        "{% for n in [1] recursive %}{{ loop([n]) }}{% endfor %}",
        "{{ {} | tojson(indent=10 ** 9) }}",
        String(repeating: "{% if 1 %}", count: deep), String(repeating: "(", count: deep),
        "{{ " + String(repeating: "(", count: deep),
        "{{ " + String(repeating: "[", count: deep), "{{ " + String(repeating: "not ", count: deep) + "1 }}",
        "{{ " + String(repeating: "-", count: deep) + "1 }}", "{{ 1" + String(repeating: " + 1", count: deep) + " }}",
        "{{ x" + String(repeating: ".x", count: deep) + " }}", "{{ x" + String(repeating: "|trim", count: deep) + " }}",
        "{{ 1" + String(repeating: " if 1 else 1", count: deep) + " }}",
        "{{ 1" + String(repeating: " and 1", count: deep) + " }}",
        "{% set " + String(repeating: "(", count: deep) + "a = 1 %}",
        "{{ 1" + String(repeating: " ** 1", count: deep) + " }}",
    ])
    func `a template without end is refused`(source: String) {
        if source.hasPrefix("((") { return }  // plain text
        #expect(throws: JinjaError.self) { _ = try JinjaTemplate(source).render([:]) }
    }

    @Test func `nesting up to the limit renders on the threads that serve`() throws {
        let parentheses = String(repeating: "(", count: 40) + "1" + String(repeating: ")", count: 40)
        #expect(try JinjaTemplate("{{ \(parentheses) }}").render([:]).string == "1")
        let blocks = String(repeating: "{% if 1 %}", count: 80) + "x" + String(repeating: "{% endif %}", count: 80)
        #expect(try JinjaTemplate(blocks).render([:]).string == "x")
        let macro = "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}x{% endmacro %}{{ f(20) }}"
        #expect(try JinjaTemplate(macro).render([:]).string == String(repeating: "x", count: 21))
    }

    @Test func `a namespace that holds itself and a macro are freed`() throws {
        weak var kept: JinjaGenerator?
        do {
            let generator = JinjaGenerator([])
            kept = generator
            let source =
                "{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.g = g %}{% macro f() %}{{ g is defined }}{% endmacro %}{{ f() }}"
            #expect(try JinjaTemplate(source).render(["g": .generator(generator)]).string == "True")
        }
        #expect(kept == nil)
    }

    @Test func `a template of a megabyte is read and rendered`() throws {
        let source = String(repeating: "{{ a }}\n{% if b %}x{% endif %}", count: 40_000)
        #expect(try JinjaTemplate(source).render(["a": .text("y")]).count == 80_000)
        #expect(throws: JinjaError.self) { try JinjaTemplate(String(repeating: " ", count: 5 << 20)) }
    }

    @Test(arguments: [
        ("a\nb\n{{ x | nope }}", 3, "filter 'nope'"), ("\n\n\n{% trans %}", 4, "'trans'"),
        ("{{ 1 is nope }}", 1, "test 'nope'"),
        ("a\n{{ 'x'.encode() }}", 2, "encode"), ("{% for x in y %}\n\n", 2, "'endfor'"), ("\n{{ a +\n\n }}", 4, "'}}'"),
        ("x\n{{ messages[0].role }}", 2, "'messages' is undefined"), ("{# \n", 1, "comment"),
        ("{{ cycler }}", 1, "cycler"),
    ])
    func `an error names its line and the construct`(source: String, line: Int, says: String) {
        #expect { try JinjaTemplate(source).render([:]) } throws: { error in
            guard let error = error as? JinjaError else { return false }
            return error.line == line && error.message.contains(says)
        }
    }

    @Test func `a refusal of the template's own leaves out what a user wrote`() {
        let text = JinjaValue.text(TrustedText("secret", isTrusted: false))
        #expect { try JinjaTemplate("{{ raise_exception('bad role: ' ~ x) }}").render(["x": text]) } throws: { error in
            (error as? JinjaError)?.message == "bad role: …" && (error as? JinjaError)?.code == .raised
        }
    }

    @Test func `a search takes linear time`() throws {
        let (a, b) = (String(repeating: "a", count: 200_000), String(repeating: "a", count: 100_000) + "b")
        let values: [String: JinjaValue] = [
            "a": .text(TrustedText(a, isTrusted: false)), "b": .text(TrustedText(b, isTrusted: false)),
        ]
        let source = "{{ b in a }}{{ a.rfind(b) }}{{ a.split(b) | length }}{{ a.replace(b, '') == a }}{{ a.count(b) }}"
        #expect(try JinjaTemplate(source).render(values).string == "False-11True0")
    }

    @Test func `strftime_now reads the clock`() throws {
        let time = LocalTime(year: 2026, month: 7, day: 4, hour: 15, minute: 5, second: 9, weekday: 6, dayOfYear: 185)
        let template = try JinjaTemplate("{{ strftime_now('%d %b %Y|%B %-d, %A|%Y-%m-%d %H:%M:%S|%I %p|%j|%y') }}")
        let text = try template.render([:], clock: { time }).string
        #expect(text == "04 Jul 2026|July 4, Saturday|2026-07-04 15:05:09|03 PM|185|26")
    }
}
