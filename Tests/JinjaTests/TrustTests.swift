import Testing

@testable import Jinja

/// What a user wrote is never trusted, whatever a template does with it.
@Suite struct TrustTests {
    @Test(arguments: [
        "{{ x }}", "{{ x | upper }}", "{{ x | lower }}", "{{ x | title }}", "{{ x | capitalize }}", "{{ x | trim }}",
        "{{ x | replace('q', 'z') }}", "{{ 'a' | replace('a', x) }}", "{{ x | join('') }}", "{{ ['a', x] | join(x) }}",
        "{{ x | list }}", "{{ x | tojson }}", "{{ {x: x} | tojson(indent=2) }}", "{{ {x: x} }}", "{{ [x, (x,)] }}",
        "{{ x | indent }}", "{{ x | reverse }}", "{{ x[::-1] }}", "{{ x[1:] }}", "{{ x[0] ~ x[1:] }}",
        "{{ x | center(90) }}",
        "{{ x.split('|') }}", "{{ x.split('|') | join('+') }}", "{{ x.partition('|') | join }}", "{{ x.strip('<') }}",
        "{{ x.rsplit('|', 1) | last }}", "{{ '%s' % x }}", "{{ '{}'.format(x) }}", "{{ x.format() }}", "{{ x * 2 }}",
        "{{ x + x }}", "{{ 'a' ~ x }}", "{{ x | default('a') }}", "{{ ((x ~ ' ') * 40) | truncate(50) }}",
        "{{ x.swapcase() }}",
        "{% set y %}{{ x }}{% endset %}{{ y }}",
        "{% macro f(a) %}{{ a }}{{ caller() }}{% endmacro %}{% call f(x) %}{{ x }}{% endcall %}",
        "{% filter upper %}{{ x }}{% endfilter %}", "{% for c in x %}{{ c }}{% endfor %}",
        "{{ [x] | map('upper') | first }}",
        "{{ [x] | sort | first }}", "{{ {'a': x} | dictsort }}", "{{ dict(a=x).items() | list }}", "{{ x | safe }}",
        "{{ x | string }}",
        "{% set ns = namespace(a=x) %}{{ ns.a }}", "{{ x.ljust(40, x[0]) }}", "{{ x.zfill(60) }}",
        "{{ x | batch(3) | list }}",
        "{{ x.splitlines() }}", "{{ x.removeprefix('<') }}", "{{ x.join(['a', 'b']) }}",
        "{{ strftime_now(x | replace('%', '')) }}",
    ])
    func `trust`(source: String) throws {
        // Letters that no template here writes.
        let user = "<|ψΩ|>\u{3000}ψω"
        let text = try JinjaTemplate(source).render(["x": .text(TrustedText(user, isTrusted: false))])
        let marks: Set<Unicode.Scalar> = ["ψ", "Ω", "ω", "Ψ"]
        #expect(text.scalars.contains { marks.contains($0) })
        for (index, scalar) in text.scalars.enumerated() where marks.contains(scalar) {
            #expect(!text.isTrusted(at: index))
        }
        // The user's brackets stand beside the letters, and are theirs as well.
        for index in text.scalars.indices.dropFirst() where marks.contains(text.scalars[index]) {
            if text.scalars[index - 1] == "|" || text.scalars[index - 1] == "<" {
                #expect(!text.isTrusted(at: index - 1))
            }
        }
    }

    @Test func `encoded ranges are those of the template`() throws {
        let values: [String: JinjaValue] = ["x": .text(TrustedText("é<b>", isTrusted: false))]
        let (bytes, trusted) = try JinjaTemplate("<a>{{ x }}{{ '' }}<c>{{ x }}").render(values).encoded
        #expect(String(decoding: bytes, as: UTF8.self) == "<a>é<b><c>é<b>")
        #expect(trusted == [0..<3, 8..<11])
    }

    @Test func `comparisons do not see who wrote a text`() throws {
        let role = JinjaValue.text(TrustedText("user", isTrusted: false))
        let source = "{{ x == 'user' }}{{ x in ['user'] }}{{ {'user': 1}[x] }}{{ 'se' in x }}{{ x.startswith('us') }}"
        #expect(try JinjaTemplate(source).render(["x": role]).string == "TrueTrue1TrueTrue")
    }
}
