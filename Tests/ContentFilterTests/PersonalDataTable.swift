/// What personal data is, and what only looks like it.
///
/// True numbers are those that networks, banks and regulators publish for tests and for fiction (card networks' and
/// payment providers' test cards, ISO 13616's and GB 11643's examples, 555-01xx, Ofcom's, ARCEP's and ACMA's numbers for
/// drama), and numbers of nobody: invented mailboxes, 138 0013 8000, hosts of example.com and a root name server.
enum PersonalDataTable {
    /// A text a line; none of them holds anything personal.
    static let harmless = #"""
        Umsatz 2023 2024 2025 2026
        years 2010 2011 2012 2013 in a row
        | 2015 2016 2017 2018 |
        2019-2020-2021-2022
        2023, 2024, 2025, 2026
        年份 2014 2015 2016 2017
        learning steps 2000 2500 3000 3500
        2048 4096 8192 1634
        batch sizes 2400 2500 2600 2700
        5100 5200 5300 5400 rows
        4000 4100 4200 4300
        run at 20251129185505
        backup-20251129185513.tar
        backup_20251129185513.tar
        log 20251129185509123
        ts 20251129185503 done
        build 20241129123456
        order 2025112918550312 shipped
        日志 20251129185505 写入完成
        created_at 1755302400
        at_millis 1647725122227
        ns 1748503543012000000
        micros 1764453905123456
        id 47223179-9330-4259-b66c-f2db26efb20c
        id 5555aaaa-5555-4444-8111-411111111111
        UUID 6ba7b810-9dad-11d1-80b4-00c04fd430c8
        trace 4bf92f3577b34da6a3ce929d0e0e4736
        imei 356938035643809
        IMEI: 490154203237518
        设备IMEI 356938035643809
        EAN 4006381333931
        EAN 5449000000996
        EAN 6901028075862
        barcode 6901234567892
        JAN 4902430784450
        条形码 6901234567892
        ISBN 978-3-16-148410-0
        ISBN 9787111128069
        ISBN-10 3-16-148410-0
        ISIN US0378331005
        18 digits 500000000000055433
        tracking 9400111899223100001234
        tracking number 4111111111111111
        运单号 4111111111111111
        snowflake 512345678901234567
        tweet 210462857140252672
        tweet 507185938620219395
        https://social.example/x/status/621234567890123456
        max 4611686018427387904
        limit 4503599627370496 bytes
        Long.MAX 9223372036854775807
        4398046511104 bytes on disk
        4012-8888-8888-1882
        4012888888881882
        4111111111111111.5
        0.4111111111111111
        opacity: 0.5309136012499991%
        rate 2.4670000000000001E-2
        value=-4111111111111111
        file_4111111111111111.png
        4111111111111111_final
        a4111111111111111
        git revert a94a8fe5ccb19ba61c4c0873d391e987982fbbd3
        sha 356a192b7913b04c54574d18c28d46e6395428ab
        d3b07384d113edec49eaa6238ad5ff00
        9000 4111 1111 1111 1111 9000
        3000-4000-5000-6
        5000 4000 3000 2001
        2024 1130 0917 5521
        memory: 17179869184 bytes
        内存 17179869184 字节
        limit_bytes=17179869184
        size 15032385536
        13000000000 parameters
        a model of 13000000000 parameters
        训练了 15000000000 个词元
        13958643712 bytes free
        wrote 18874368000 B
        offset 13743895347
        order 13812345678
        订单号 13812345678
        快递单号：15912345678
        https://shop.example/item/13812345678.html
        12345678901
        #13812345678901234
        product_id 3074185296
        16812345678
        15412345678
        pi is +3.14159265
        x = +2.718281828
        lat +48.8566140 lon +2.3522219
        坐标 +31.2304160, +121.4737010
        geo:+40.7127753,-74.0059728
        @@ -1,2 +12345678 @@
        +12345678 added
        +9990000000 rows
        +2500000000%
        sqrt +1.4142135623
        sweep 250 500 1000 steps
        resistors 220 330 4700 ohm
        222 333 4444
        values 312 445 1023 rows
        300-400-5000
        part 010-23456789
        part no. 415-555-0132
        SKU 415-555-2671
        serial 212-555-2368
        lot 415-555-0132-A
        4155550132
        clause 252.227-7013
        20080830 172159
        job 260621074909720
        911-211-1234
        2024-11-29
        1748503543012
        110105194912310021
        pi is 3.14159265358979
        at 10:30:45
        29/11/2026 18:55:05
        1.000.000,00
        10,000,000,000
        use A::B here
        bad::cafe(x)
        std::abs(x)
        std::vector::size
        use strict; LWP::UserAgent
        Dead::Beef::new()
        select a::b from t
        B::b
        face::feed
        x::2400:3200::1
        a1:2400:3200:1:2:3:4:5:6
        a::b::c::d
        1::2
        x ::ffff y
        ::1
        2001:db8::1
        2001:0db8:85a3:0000:0000:8a2e:0370:7334
        3fff::1
        ff02::1
        WWN 50:01:43:80:12:34:56:78
        MAC 00:1B:44:11:3A:B7
        12:30:45
        at 10:30:45.123
        00:00:01:02:03:04:05:06
        open logo@2x.png
        Shape@3x.png
        icon@1.5x.webp
        sprite@2x.com
        git clone git@github.com:a/b.git
        ssh://git@gitlab.com/a/b.git
        克隆 git@gitee.com:a/b.git
        lodash@4.17.21.tgz
        react@18.2.0
        pkg@1.2.3-beta.next
        @types/node@v18.11.tar
        vue@next.js
        getty@tty1.service
        W@x.transpose(0, 1)
        a@b.toString
        user@example.com
        your.name@example.org
        noreply@mail.example.net
        user@localhost
        @Override
        cdn.net/gh/x/devicon@master/devicon.min.css
        Bump to version 1.2.3.4
        package version 10.7.31.9
        upgraded from 12.7.31.9 to 12.8.30.1
        版本 10.7.31.9
        固件升级到 93.18.216.34
        Chrome/12.0.30.4
        openssl-11.1.10.2
        tool_21.2.30.4
        package==21.2.30.4
        driver 31.0.15.46
        93.184.216.34.tar.gz
        12.8.30.1-beta
        version 1.2.3.4.5
        bind 0.0.0.0
        127.0.0.1
        192.168.1.1
        10.0.0.1 and 172.16.0.1
        100.64.0.9
        169.254.169.254
        mask 255.255.255.0
        multicast 224.0.0.251
        dns 8.8.8.8
        nameserver 1.1.1.1
        DNS 223.5.5.5
        OID 1.3.6.1.4.1
        203.0.113.7
        198.51.100.23
        文档地址 192.0.2.55
        route 93.184.216.0/24
        see 3.2.1.4
        extension 2.5.29.17
        Package@swift-6.0.swift
        order 410101199001011234
        id 110105194912310025
        110105194902310021
        000105194912310020
        GB82WEST12345698765431
        DE89 3704 0044 0532 0130 01
        AB12 this that more text
        91350100M000100Y44
        500000000000055433
        sk-xxxxxxxxxxxxxxxxxxxxxxxx
        sk-toggleable__control-label-arrow
        sk-folding-cube-container-wide-large
        sk-your-key-0123456789-goes-here
        AKIAIOSFODNN7EXAMPLE
        YOUR_API_KEY_HERE_PLACEHOLDER
        Bearer nph-0123456789abcdef
        13800138000 bytes
        13812345678个参数
        """#.split(separator: "\n").map(String.init)

    /// A category, a tab, and a text that holds it; `\n` is a line break.
    static let personal: [(category: String, text: String)] = #"""
        personal/card	card 4111111111111111
        personal/card	card 4111 1111 1111 1111
        personal/card	4111-1111-1111-1111
        personal/card	card is 4111111111111111.
        personal/card	4111111111111111,4012888888881881
        personal/card	卡号4111111111111111。
        personal/card	信用卡：4111 1111 1111 1111，有效期12/27
        personal/card	４１１１１１１１１１１１１１１１
        personal/card	{"card":"4111111111111111"}
        personal/card	card=4111111111111111&cvc=123
        personal/card	4111 1111 1111 1111 123
        personal/card	4111 1111 1111 1111 1227
        personal/card	2027 4111 1111 1111 1111
        personal/card	order paid with card 4111111111111111
        personal/card	1;4111111111111111;Jane Roe
        personal/card	4012888888881881
        personal/card	4012 8888 8888 1881
        personal/card	4242 4242 4242 4242
        personal/card	4242424242424242
        personal/card	4000056655665556
        personal/card	4000 0000 0000 0002
        personal/card	visa 4222222222222
        personal/card	cards 4917610000000000003
        personal/card	4917 6100 0000 0000 003
        personal/card	4988438843884305
        personal/card	4166676667666746
        personal/card	4444333322221111
        personal/card	5555555555554444
        personal/card	card 5555-5555-5555-4444
        personal/card	5105105105105100
        personal/card	5105 1051 0510 5100
        personal/card	5200828282828210
        personal/card	5454545454545454
        personal/card	5500 0000 0000 0004
        personal/card	card 2221000000000009
        personal/card	2223003122003222
        personal/card	2222 4000 7000 0005
        personal/card	378282246310005
        personal/card	3782 822463 10005
        personal/card	3782-822463-10005
        personal/card	371449635398431
        personal/card	378734493671000
        personal/card	343434343434343
        personal/card	30569309025904
        personal/card	3056 930902 5904
        personal/card	3056930009020004
        personal/card	38520000023237
        personal/card	36227206271667
        personal/card	6011111111111117
        personal/card	6011 0009 9013 9424
        personal/card	6011981111111113
        personal/card	6445644564456445
        personal/card	3530111333300000
        personal/card	3566002020360505
        personal/card	3569 9900 1009 5841
        personal/card	card 6240008631401148
        personal/card	6200000000000005
        personal/card	银行卡6205500000000000004
        personal/card	6205 5000 0000 0000 004
        personal/card	6243030000000001
        personal/card	6759649826438453
        personal/card	6771798021000008
        personal/card	6304000000000000
        personal/card	5019717010103742
        personal/card	5066991111111118
        personal/card	6062828888666688
        personal/phone	call 13800138000
        personal/phone	call 13812345678
        personal/phone	call 138 0013 8000
        personal/phone	138-1234-5678
        personal/phone	电话：13800138000
        personal/phone	电话：138-1234-5678。
        personal/phone	手机号13800138000。
        personal/phone	微信同号：15912345678
        personal/phone	请联系张三19912345678谢谢
        personal/phone	１３８１２３４５６７８
        personal/phone	tel:+8613800138000
        personal/phone	+86 13812345678
        personal/phone	+86 138 1234 5678
        personal/phone	86-13812345678
        personal/phone	0086 13812345678
        personal/phone	{"mobile":"17712345678"}
        personal/phone	phone_18612345678
        personal/phone	https://wa.example/send?phone=8613800138000
        personal/phone	order by phone: 13812345678
        personal/phone	13812345678,15912345678
        personal/phone	name,phone\nRoe,13812345678
        personal/phone	010-62345678
        personal/phone	电话010-62345678
        personal/phone	(010) 62345678
        personal/phone	021-62345678
        personal/phone	0755-26123456
        personal/phone	(0571) 86123456
        personal/phone	+86 10 6234 5678
        personal/phone	+86 755 2612 3456
        personal/phone	+1 (415) 555-0132
        personal/phone	(415) 555-0132
        personal/phone	415-555-0132
        personal/phone	415.555.0132
        personal/phone	415 555 0132
        personal/phone	call 415 555 2671
        personal/phone	(415) 555-2671
        personal/phone	1-415-555-0132
        personal/phone	1 415 555 0132
        personal/phone	+1 415 555 0132
        personal/phone	+14155550132
        personal/phone	Registrant Phone: +1.4155550132
        personal/phone	+1-212-555-0187
        personal/phone	(212)555-0187
        personal/phone	212-555-0187,Jane Roe
        personal/phone	fax: 212 555 0187
        personal/phone	+44 20 7946 0958
        personal/phone	+44 (0)20 7946 0958
        personal/phone	+442079460958
        personal/phone	+44 7700 900123
        personal/phone	+44 161 496 0123
        personal/phone	+33 1 99 00 12 34
        personal/phone	+33.1.99.00.12.34
        personal/phone	+33 6 39 98 12 34
        personal/phone	+49 30 23125 123
        personal/phone	+49 171 3920012
        personal/phone	+61 491 570 006
        personal/phone	+61 2 5550 1234
        personal/phone	+46 70 174 06 05
        personal/phone	+353 20 912 3456
        personal/phone	+852 2345 6789
        personal/phone	+886 912 345 678
        personal/phone	+81 90 1234 5678
        personal/phone	+82 10 1234 5678
        personal/phone	+65 6123 4567
        personal/phone	+91 98765 43210
        personal/phone	+7 495 123-45-67
        personal/phone	+34 612 345 678
        personal/phone	+39 06 1234 5678
        personal/phone	+41 44 123 45 67
        personal/phone	+420 601 123 456
        personal/phone	拨打+852 2345 6789
        personal/email	bob.smith@corp.example.org
        personal/email	mail me: a@b.co
        personal/email	邮箱bob@qq.com
        personal/email	邮箱zhang@qq.com谢谢
        personal/email	ｚｈａｎｇ＠ｑｑ．ｃｏｍ
        personal/email	write to Jane.Doe+x@mail.example.co.uk today
        personal/email	jane@example.com
        personal/email	zhang.san@163.com
        personal/email	12345678@qq.com
        personal/email	<jane.roe@corp.example>
        personal/email	mailto:jane.roe@corp.example
        personal/email	jane.roe@corp.example.org(work)
        personal/email	jane@roe.com(work)
        personal/email	Jane Roe <JANE.ROE@ROE.ORG>
        personal/email	jane@roe.info, john@roe.info
        personal/email	j_roe-2@sub.roe.museum
        personal/email	jane@1und1.example
        personal/email	user@roe.org
        personal/email	jane@roe.so
        personal/iban	DE89370400440532013000
        personal/iban	DE89 3704 0044 0532 0130 00
        personal/iban	IBAN: GB82WEST12345698765432
        personal/iban	GB82 WEST 1234 5698 7654 32
        personal/iban	FR14 2004 1010 0505 0001 3M02 606
        personal/iban	NL91ABNA0417164300
        personal/iban	BE68 5390 0754 7034
        personal/iban	CH93 0076 2011 6238 5295 7
        personal/iban	AT61 1904 3002 3457 3201
        personal/iban	ES91 2100 0418 4502 0005 1332
        personal/iban	IT60X0542811101000000123456
        personal/iban	NO93 8601 1117 947
        personal/iban	SE45 5000 0000 0583 9825 7466
        personal/iban	PL61109010140000071219812874
        personal/iban	账户：DE89370400440532013000。
        personal/ip	fe80::1
        personal/ip	2400:3200::1
        personal/ip	2606:2800:220:1:248:1893:25c8:1946
        personal/ip	[2606:2800:220:1:248:1893:25c8:1946]:443
        personal/ip	fd12:3456:789a::1
        personal/ip	IP:2400:3200::1
        personal/ip	login from 93.184.215.14
        personal/ip	client 93.184.215.14 said hello
        personal/ip	93.184.215.14 - - [29/Nov/2026:18:55:05] "GET /"
        personal/ip	http://93.184.215.14/index.html
        personal/ip	ssh root@93.184.215.14
        personal/ip	93.184.215.14:443
        personal/ip	version of the server at 93.184.215.14
        personal/ip	来自93.184.215.14的访问
        personal/ip	198.41.0.4
        personal/ip	ip.addr==93.184.215.14
        personal/ip	host 93.184.215.14/32
        personal/resident-id	11010519491231002X
        personal/resident-id	身份证11010519491231002X
        personal/resident-id	身份证号码：440524188001010014。
        personal/resident-id	11010519491231002x
        personal/credit-code	91350100M000100Y43
        personal/credit-code	统一社会信用代码：91350100M000100Y43
        secret/key	sk-abcdefghijklmnopqrstuvwxyz123456
        secret/key	key sk-abcDEF1234567890ghijKLmn
        secret/key	ghp_16C7e42F292c6912E7710c838347Ae178B4a
        secret/key	AKIAQ3T7WJ5NZL2XK8VD
        personal/phone	13800138000个人微信
        personal/ip	upgraded the server, log in at 93.184.215.14
        """#.split(separator: "\n").map { line in
            let halves = line.split(separator: "\t", maxSplits: 1).map(String.init)
            return (halves[0], halves[1].replacing("\\n", with: "\n"))
        }
}
