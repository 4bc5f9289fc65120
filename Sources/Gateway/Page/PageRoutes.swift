import Hummingbird

/// The page at `/`: HTML, a script and a style sheet that are part of the program.
struct PageRoutes: RouteGroup {
    func addRoutes(to router: Router<GatewayContext>) {
        // Nothing but these files and the gateway's own answers is ever loaded or run.
        let policy =
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        for (path, type, bytes) in [
            ("/", "text/html", PackageResources.index_html), ("/page.js", "text/javascript", PackageResources.page_js),
            ("/page.css", "text/css", PackageResources.page_css),
        ] {
            let body = ByteBuffer(bytes: bytes)
            router.get(RouterPath(path)) { _, _ in
                var headers: HTTPFields = [
                    .contentType: type + "; charset=utf-8", .cacheControl: "no-cache",
                    .contentSecurityPolicy: policy, .xContentTypeOptions: "nosniff",
                ]
                if let name = HTTPFields.Element.Name("referrer-policy") { headers[name] = "no-referrer" }
                return Response(status: .ok, headers: headers, body: .init(byteBuffer: body))
            }
        }
    }
}
