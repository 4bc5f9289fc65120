// Written by Training/phrase_lists.py from surge-ai/profanity (MIT) and LDNOOBW's list (CC BY 4.0).

extension PhraseLists {
    /// Swearing, slurs and sexual words.
    static let published = #"""
        harassment 0.4: b to the inch, b1+ch, b1otchs, b1tch1ng, b1tch35, b1tchez, b1tching, b1tchy, beeotch, beyoch
        harassment 0.4: bi + ch, biatch, biotch, biotches, bishes, bitch3s, bitched, bitching, bitchlike, bitchs
        harassment 0.4: bitchslap, bitchy, gayest, l3i + ch, l3i+ch, l3itches, sissy, sk@nky, skanks, son-of-a-bitch
        harassment 0.4: sonna bitch, sonofbitches, trashbitchez, trasherbitchs
        harassment 0.5: b17ch, b1otch, b1tch, b1tch3s, b1tchees, b1tches, b1tchs, bi+ch, biches, biotchez, bitchass
        harassment 0.5: bitcher, bitchers, bitchez, bitchness, bizzach, bum-bandits, b！tch, crazy sob, dumbarrassed
        harassment 0.5: dumbass, fugly, g@ylord, gaylord, gayness, geebag, girlieboy, girlyboy, l3itch, ladboys
        harassment 0.5: ladboyz, ladyboyz, nobjokeys, nymphomaniac, peter puffer, pillow-biter, puta, s-lut, shemal3
        harassment 0.5: shmale, sk@nks, sk@nkz, skanky, skankz, slag, sluts, slutty, son o bitch, sonofabitch
        harassment 0.5: sons of b1tches, sons-of-bitches, sum of a bitch, sumbitch, trashb1tch, trashbitches
        harassment 0.5: trashbtch, trasherbitch, trashybitches, whoar, whor3, whore
        harassment 0.6: 5kank, arse-bandit, butt pirate, carpetmunchers, dipsh1t, fckyeah, fudgepacker, g@y b1tch
        harassment 0.6: g@yshit, gay bitch, gay fuck, gay wad, gaylords, gaysian, gowl, hoe-asses, hoebag, jailba!t
        harassment 0.6: knobjokey, l@dyb0i, l@dyb0y, l@dyboy, ladiboy, lady-boy, ladyb0i, ladyb0y, ladyboy, ladyboys
        harassment 0.6: mofoes, mofucker, pedobear, rat bastard, retardotron, sh3mal3, sh3male, shtfuk, soab
        harassment 0.6: sons of bitches, sonz of bitchez, stupid hoe, trashbitch, turdcutter, wh0r3, wh0re, whoars
        harassment 0.6: whores, window licker
        harassment 0.7: c*nts, closet fuckhead, gaytard, m0foes, m0ng0l0id, mof0s, mofuk, motherfxck, pedobears
        harassment 0.7: ph@ggots, phaggot, phaggots, phagot, phags, r3tard, retardo, sh1tfuck, she-male, shit fuck
        harassment 0.7: shitfuckhead, shut the fuck up, 下贱, 他妈ㄉ王八蛋, 你个傻比, 你他马的, 你奶奶的, 你她马的, 你妈的, 你娘卡好, 你娘咧, 你它妈的, 你它马的
        harassment 0.7: 你老味, 你老母, 你老闆, 你马的, 冚家拎, 冚家鏟, 咸家伶, 咸家鏟, 塞你公, 塞你娘, 塞你母, 塞你爸, 塞你老师, 塞你老母, 奸你, 妳她妈的, 妳妈的, 妳娘的
        harassment 0.7: 妳老母的, 妳马的, 婊子, 婊子养的, 干你, 干你妈, 干你娘, 干你老母, 干你良, 干妳妈, 干妳娘, 干妳老母, 干妳马, 干您娘, 干死你, 强奸你, 想上你, 懆您妈
        harassment 0.7: 懆您娘, 我操你祖宗十八代, 操你, 操你全家, 操你奶奶, 操你妈, 操你娘, 操你祖宗, 操你老妈, 操你老母, 操妳, 操妳全家, 操妳妈, 操妳娘, 操妳祖宗, 日你, 日你妈
        harassment 0.7: 日你老娘, 日你老母, 杂种, 灨你娘, 狗日, 狗狼养的, 王八蛋, 贱b, 贱人, 贱货, 贼你妈, 赛你老母, 赛妳阿母, 赣您娘, 驶你公, 驶你娘, 驶你母, 驶你爸, 驶你老师
        harassment 0.7: 驶你老母
        harassment 0.8: r3t@rd, r3t@rded, tard
        hate 0.7: shemales
        hate 0.8: bean queen, blacky, china-virus, cooni3s, dago, groid, heeb, homos, injun, jigaboo, jigga
        hate 0.8: jiggabooboo, lesbo, m0ngoloid, mongoloid, n1gga, n3gro, niggahs, niggaz, oven dodger, sambo
        hate 0.8: sheister, shiester, tacohead, wophead, zipperhead
        hate 0.9: beaner, beaners, c00nies, camel jockey, ch1nk, chinavirus, chinese-virus, chingchong, chinky
        hate 0.9: coon1es, coonie, coonies, cotton picker, darkass, darkie, darktard, darky, dothead, dune coon
        hate 0.9: f@gg0t, f@gging, f@ggot, f@gs, f@gshit, fag, fag asses, fag bag, fag hag, fag queen, fag0t, faget
        hate 0.9: fagg0t, fagging, faggo, faggot, faggot nobjockies, faggot son-of-a-bitch, faggoting, faggots, faggs
        hate 0.9: faggy, fagot, fags, higg3r, higg@, higga, higger, higgers, jewboy, jigaboos, jiggaboo, jiggaboos
        hate 0.9: jiggabu, jiggas, jiggerboo, jiggerboos, jiggs, jiggyboo, jigro, k!ke, k..!ke, k1ke, kike, kikes
        hate 0.9: kneegrows, ku kluxer, kyke, mecha fag, mega fag, n1ckker, n1g3rz, n1gg3r, n1gg3rs, n1gg@, n1gg@hs
        hate 0.9: n1ggah, n1ggahs, n1ggas, n1ggazes, n1gger, n1ggers, n1gguh, negga, neggar, negr0, negroes, negroid
        hate 0.9: niccer, nicka, nickas, nickk3r, nickker, nig, nig-nog, niga, nigah, nigasses, nigers, nigg3r
        hate 0.9: nigg3rs, nigg4h, nigg4hs, nigg@, nigg@hs, nigg@s, nigg@z, nigg@zzes, nigga, nigga lover, niggah
        hate 0.9: niggahz, niggas, niggass, niggazzes, nigger, nigger lover, niggers, niggerz, niggir, niggress
        hate 0.9: nigguh, nigguhs, nigguhz, niglet, nignigs, nignog, nigra, nigre, nigs, niguh, nikk3r, nikkas, nikker
        hate 0.9: nuckas, porch monkey, queerasses, raghead, ragheads, ragtard, rice monkey, sand nigger, shemale
        hate 0.9: sl@nteye, slantard, slanteye, slanteye b1tch, slanteyes, slantfreak, slanty, spic, spick, spics
        hate 0.9: spig, spik, spix, spooks, tar-baby, timber nigger, towelhead, towelheads, towelshithead, tranny
        hate 0.9: we1back, wet back, wetback, wetbacks, wigger
        profanity 0.4: b1tchin, bassturd, basterd, bastid, beyotch, bitchin, bitchin', douche bag, dumb bastard
        profanity 0.4: g0ddamn, g0ddamned, g0ddamnit, go to hell, god dammit, god damn it, god damned, god damnit
        profanity 0.4: god-dam, god-damned, godamnit, godd@amn, godd@mnit, goddammit, goddamn son of a bitch
        profanity 0.4: goddamn son-of-a-bitch, goddamned, goddamnit, j3rk, ja1lbait, punkasses, scut, son of a bitch
        profanity 0.5: 0ral seks, 0rg@sm, 0rgasms, 4skin, ar5e, arse hole, ass hole, ass kisser, asshat, asshole
        profanity 0.5: axe wound, b00bz, b0llock, b0llocks, ballbag, basturd, batshit, batshite, beat my meat
        profanity 0.5: beat off, bellend, bewbs, blowjob, boll0ck, bollock, bollockchops, bollocks, bollox, bugger off
        profanity 0.5: bull shit, bullshi, bullshit, bullshite, bumhole, bung hole, butt hole, butthole, c0ck, cack
        profanity 0.5: cagone, cajones, cameltoe, cawks, chesticles, cooter, d!ck, d!cks, d1ck, d1ckz, dicks, dickz
        profanity 0.5: dild0, dipshat, dlck, dlcks, dog shit, dog's bollocks, doggo style, dogie style, dogsh1t
        profanity 0.5: dogsh1ts, dogshit, dogstyle, double pen, douche, dumasses, dumb@ss, dumbasses, fatass, fatasses
        profanity 0.5: full of shit, funbags, girly bits, horse shit, horseshit, ja!lbait, jack-off, jackarse, jackass
        profanity 0.5: jackasses, jackasss, jackoffs, jagoff, jailbait, jerk off, jerk-0ff, jerk-off, jerk-offs
        profanity 0.5: jerking off, jerkoff jerking off, jerkoffs, kiss ass, klitoris, knob3nd, knobd, knobe, knobend
        profanity 0.5: knober, knobes, man chowder, man meat, man seed, meat-sword, palm jockey, peener, pissoff
        profanity 0.5: prick-face, pull the pud, pussies, reacharound, schlong, sh! +, sh!+, sh1s, sh1t, sh1t3, sh1te
        profanity 0.5: sh1ts, sh1tsome, sh1tt, sh1tty, sheeeet, shet, shi+, shi+e, shi+y, shiat, shit, shit3, shite
        profanity 0.5: shited, shites, shitey, shitfaced, shits, shitsful, shittastic, shitte, shitted, shitter
        profanity 0.5: shitti, shitties, shittiest, shittings, shitty, shlong, sixty-nine, stupidasses
        profanity 0.5: taking the piss, tallywacker, tickle the pickle, trouser snake, twa+, vag, vajayjay, w4nker
        profanity 0.5: w@nker, w@nkers, wank off, wank3r, wank3rs, wanked, wanker, wankers, wanking, wanks, whack off
        profanity 0.5: wise ass, wnker
        profanity 0.6: 4r5ed, 4r5es, ape shit, ape shite, apeshit, apeshite, ar5ehole, arsehole, arsewipe, ass bandit
        profanity 0.6: ass licking, assface, assholes, asswhole, asswipe, baby batter, bbc, beat the meat
        profanity 0.6: beat your meat, black cock, blow a load, bollocktician, bonk juice, breasticles, bwc, c0cks
        profanity 0.6: caaak, cawk, choke the chicken, cockless, coot coot, crazy mofos, crotchy, d!ld0, d!ldo, d1cks
        profanity 0.6: d1ldo, dickheads, dickless, dickvag, dikhead, dipsh1tty, dipshidiot, dipshit, dipshite
        profanity 0.6: dipshits, dipshitter, doggy style, doggy_style, dogshits, doosh, double dick, double-dong
        profanity 0.6: douche canoe, douchebag, dumbshit, dump a load, eat my ass, f@ck, fack, fingerpop, fkbny, fook
        profanity 0.6: fuc, fuck buttons, fxck, giant cock, groper, horse's asses, j-offs, jack off, jack-offs
        profanity 0.6: jerk-0ffs, jerks off, jizz, jizzing, jizzy, kiss my ass, knob-face, knob-gobbler, knob3d
        profanity 0.6: knobead, knobeads, knobed, knobends, knobendy, knobendz, knobhead, knobheads, m@asterbated, mfk
        profanity 0.6: muff, mushroom tip, n0bhead, nobbyhead, nobhead, nobheads, nut butter, pecker, penishead
        profanity 0.6: piece of shit, pigshit, piss face, piss pig, piss shit, pissing, pissoffs, pisspig, pusses
        profanity 0.6: pussy cat, puussy, puzzies, shipdit, shit for brains, shit-arse, shit-bandit, shitblimp
        profanity 0.6: shitblimps, shitefuck, shitting, shitty mofoes, shittyful, stump chewer, tadger, trousersnake
        profanity 0.6: turdhead, twats, twatt, twattish, upskirts, w4nk3r, wankies, 㞗, 个老子的, 仆街, 他奶奶, 他奶奶的, 他奶娘的, 他妈地
        profanity 0.6: 他妈的, 他马的, 傻比, 傻逼, 册那, 几八, 几叭, 几巴, 几芭, 卖b, 卖比, 双峰微颤, 吃屎, 大卵子, 奶奶的熊, 她妈地, 她妈的, 她马的, 妈b, 妈个b, 妈个比
        profanity 0.6: 妈个老比, 妈比, 妈的b, 妈逼, 姣西, 姦, 娘个比, 娘的, 它妈地, 它妈的, 小卵子, 小肉粒, 小骚比, 屁眼, 屄, 屌, 干x娘, 干七八, 干机掰, 干死cs, 干死gm
        profanity 0.6: 干死客服, 打炮, 打飞机, 招妓, 操机掰, 操比, 操逼, 日他娘, 日批, 机八, 机巴, 机机歪歪, 湿透的内裤, 烂货, 烂逼, 瓜娃子, 瓜婆娘, 瓜批, 硬膠, 老骚比, 肏
        profanity 0.6: 躝癱, 閪, 阳具, 靠北, 靠母, 靠爸, 靠腰, 骚比, 骚逼, 龟儿子, 𡳞, 𨳊, 𨳍, 𨳒, 𨶙
        profanity 0.7: arse gobbler, arse-bandits, arse-hole, arseshit, ass muncher, ass-bandit, ass-hole, assfk
        profanity 0.7: assfker, assfkr, assfuccer, asshol3, assmunch, assmuncher, bitchasses, bitchtits, bitchy ass
        profanity 0.7: butt fuck, butt-fucker, buttfuck, c0ckhead, c0cksuccer, c0cksucked, c0cksucker, c0cksuckers
        profanity 0.7: cawkmuncher, choad nectar, clusterfuck, clusterfucked, clusterfucking, clusterfucks
        profanity 0.7: cobb knobbler, cock head, cock knocker, cock licker, cock munch, cock smoker, cock snot
        profanity 0.7: cock suck, cock sucking, cock tease, cock-face, cock-head, cock-sucker, cock-suckers, cockeater
        profanity 0.7: cockface, cockgobbler, cockhead, cockhed, cocklicker, cockmonger, cockmunch, cockmuncher
        profanity 0.7: cockshit, cockskin, cocksmoker, cocksucc, cocksuccas, cocksuccer, cocksuccers, cocksuck
        profanity 0.7: cocksucked, cocksucker, cocksuckers, cocksucks, cocksuk, cocksuka, cocksukka, cumz, cuntbollock
        profanity 0.7: cyberfck, cyberfuccs, cyberfucks, cyberfucs, cyberfukk, cyberfukks, cyberfvcks, d1ckhead
        profanity 0.7: d1ckheads, d1cksucker, d1cksukka, dick breath, dick face, dick head, dick milker, dick sucker
        profanity 0.7: dick-face, dick-gobbler, dick-head, dickface, dickhead, dickjockies, dicklicker, dickmuncher
        profanity 0.7: dickskin, dickslapper, dicksucker, dipshitty, double dicking, dumb fucker
        profanity 0.7: dumbass son-of-a-bitch, dumbfucks, erectoplasm, f'ed, f0ck, f0cked, f0ckers, f@cker bunny
        profanity 0.7: fackuhs, fart-fucker, fccuker, fck you, fcka, fckahz, fcked, fckedup, fcker, fckin, fcking
        profanity 0.7: fckk, fckked, fckking, fcks, fcuk, fcuked, fcukers, fcuking, fcukker, fcuks, fcvking, feck arse
        profanity 0.7: fecker, fk bunny, fked, fking, fkings, fkker, focker, fooker, fookuh, fucc, fucca, fuccers
        profanity 0.7: fuccs, fuck, fuck faces, fuck goblin, fuck off, fuck up, fucka, fuckahs, fuckaz, fucked
        profanity 0.7: fucked up, fuckem, fucker, fucker off, fuckface, fuckfaces, fuckhead, fuckin, fucking
        profanity 0.7: fucking hell, fucking me, fucking shit, fuckk, fuckless, fuckmachine, fucks, fuckstar, fuckster
        profanity 0.7: fuckstick, fuckup, fuckwad, fucx, fugged, fugger, fuggings, fuk, fuk1n, fuk1ng, fukcs, fuker
        profanity 0.7: fukheads, fukin, fuking, fukk, fukka, fukked, fukker, fukkers, fukking, fukkings, fukkuh, fuks
        profanity 0.7: fukwit, fuq, fux, fux0r, fvck, fvck you, fvcka, fvckbunny, fvckers, fvckin, fvcking
        profanity 0.7: fvckker bunny, fvckwhi, fxcked, fxcker, fxcking, gay shit, gobshite, holy fuck, jizz-jockey
        profanity 0.7: jizzed, jizzes, knob eater, knob gobbler, knob jockey, knob-head, knobeds, knobender
        profanity 0.7: knobgobbler, knobjockies, knobjocky, knobjokeys, markasses, mf'er, mf'ing, mfckers, mfer, mfing
        profanity 0.7: mindfuck, mofo, mofos, mofoshit, mother effer, mothercker, motherfvckeds, mudderfuk, nob jockey
        profanity 0.7: nob jokeys, nobj0key, nobjockies, nobjokey, packing fudgehead, phuc, phucc, phuccer, phucchead
        profanity 0.7: phuccing, phuck, phuck3r, phucked, phucker, phuckin, phucks, phucup, phuk, phuked, phukeds
        profanity 0.7: phuking, phukings, phukk, phukked, phukkeds, phukker, phukking, phuks, phukshit, phuku, phukup
        profanity 0.7: phvckings, prick-gobbler, prick-head, rat baztad, sh1td1ck, sh1th3ad, sh1theads, shiddick
        profanity 0.7: shiesterfuck, shiesterfuckhead, shit face, shit head, shit licker, shit stain, shit-ass
        profanity 0.7: shit-stuffers, shitass, shitasses, shitbag, shitbird, shitbrain, shitd1ck, shitdicks, shitdikk
        profanity 0.7: shitdip, shiteblimps, shitedick, shitefulls, shitehead, shitface, shitfk, shitfreak, shitfuck
        profanity 0.7: shitfvck, shithead, shitheads, shithole, shitsdick, shitsfuck, shittasticfuck, shittydick
        profanity 0.7: shittydicks, shittyfuck, shittyfuckface, stfu, suck my cock, suck my dick, throat yogurt, tw@t
        profanity 0.7: twat, twat waffle, twatzilla, wankbastard
        profanity 0.8: @ssfvcker, arse-fucker, arse-fuckers, arse-shagger, arsefucker, ass fecker, ass fucker
        profanity 0.8: ass fucking boiolas, ass fucking nob jokeys, ass-fuckers, assfck, assfkcer, assfook, assfuck
        profanity 0.8: assfuckerz, assfukah, assfukker, assfvcker, asshole fucker, bitchfuck, bitchhole
        profanity 0.8: butt-fucking-bandit, cawk muncher, cawksucker, clusterfucker, cock droplets, cock jockey
        profanity 0.8: cock rider, cock sucker, cock sucking boiolas, cock-gobbler, cockboy, cockh3ad, cockheads
        profanity 0.8: cocksuckas, cocksucking, cooterpuffing, cumball, cunt, cunt fart, cuntelope, cuntlicker
        profanity 0.8: cuntlickers, cunts, cyberfcks, darkfuck, dick licker, dick nibbler, dick smoker, dumbass fucker
        profanity 0.8: dumbass mofoes, f0cker, fck, fcuker, finger fuck, fker, fuccing, fuck arse, fuck face
        profanity 0.8: fuck head, fuck y0u, fuck you, fuck your, fuckass, fuckasses, fuckbag, fuckboy, fuckers
        profanity 0.8: fuckheaded, fuckheads, fucking a, fucking bastard, fucknuckle, fuckshit, fuckshitface
        profanity 0.8: fucktards, fuckwhore, fucs, fuggerz, fuku, futhamucka, fvcker, gay ass, get fucked
        profanity 0.8: go fuck yourself, jizzbags, jizzfucker, m0fo, m0fos, m0therfucker, m@derfuckers, mf'ers
        profanity 0.8: mofcker, mofo ass, mofuccers, mofucckers, mofuckkas, mofukkas, motha fucker, mothaf@cked
        profanity 0.8: mothafcked, mothafucced, mothafuckas, mothafuckaz, mothafuckers, mothafuckin, mothafuckins
        profanity 0.8: mothafuckz, mother fuck you, motherf@kka, motherfacking, motherfecka, motherfucca, motherfuck
        profanity 0.8: motherfuckin, motherfukkings, motherfvck, motherfvcked, motherfxcking, mothfck, mthrfcker
        profanity 0.8: mudderfukker, muhfucking, mutha fucker, mutherfucker, n0bj0cky, nobjocky, packingfudgefucking
        profanity 0.8: packsomefudgefucker, phucking, phuckings, phukhead, pigfucker, pigfucking, sausage jockey
        profanity 0.8: scamfuck, scumfvck, sh1tdick, shiesterfucks, shit-fucker, shitassfucker, shitdick
        profanity 0.8: shitfacefucker, shitfck, shitfucker, shitfucks, shitfudgefucker, shitheadfuckface
        profanity 0.8: shitterfucker, shytfeisterfuck, stupid fucker, tongue fucker, twatface, useless fucker
        profanity 0.9: @ssfcker, @ssfucker, animal fucker, arsefuck, ass eating boiolas, ass eating nob jokeys
        profanity 0.9: ass fuck, ass-fucker, assfcker, assfuck3r, assfucker, assfuckers, assfukka, assfukkerz
        profanity 0.9: assfvck3r, butt fucker, butt-fuckers, buttfucker, buttfuckers, c*nt, c*ntface, c*nty
        profanity 0.9: cock sucking nob jokeys, cocksucking mothafuckers, cumdumpster, cumslut, cunt ass, cunt lick
        profanity 0.9: cunt licker, cunt lips, cuntasaurus rex, cuntbag, cuntits, cuntless, cuntlick, cuntness, cunty
        profanity 0.9: cuntz, darkshit, dick fucker, dickfucker, dicksmoker, dog fuck, dog fucker, dog fucking
        profanity 0.9: dog-fucker, dumbass mothafuckers, face fuck, faggot mofoes, faggot mothafuckers
        profanity 0.9: faggot nob jokeys, fagshit, fcktard, fuck your mother, fucking asshole, fucking retard
        profanity 0.9: fuckshithead, fucktard, fudgefucker, fudgepackershitter, fudgepacking fucker, fukwhore
        profanity 0.9: gay fucker, goddamn mothafuckers, homo asses, jizzstain, m0thafucked, m0thafucker, m0thafucking
        profanity 0.9: m0therfuckeds, m0therfucking, m0therfvcker, m@derfuck, mfers, mfukk, mfukker, mofuck
        profanity 0.9: motha fucka, motha fuckers, mothafcking, mothafucc, mothafuccer, mothafuccing, mothafuck
        profanity 0.9: mothafucka, mothafuckasses, mothafuckazzes, mothafucked, mothafuckeds, mothafucker
        profanity 0.9: mothafucking, mothafuckings, mothafucks, mothafvcked, mother fuck, mother fucka, mother fucker
        profanity 0.9: mother fuckers, mother fucking, motherfcked, motherfckin, motherfcking, motherfcks
        profanity 0.9: motherfckshit, motherfecker, motherfk, motherfuccas, motherfuccers, motherfucked, motherfuckeds
        profanity 0.9: motherfucker, motherfuckers, motherfucking, motherfuckings, motherfuckingshit, motherfuckins
        profanity 0.9: motherfuckka, motherfuckkas, motherfuckkers, motherfucks, motherfukka, motherfukker
        profanity 0.9: motherfvcker, motherfvckers, motherfvcking, mothter fuck, mtherfuker, muddafukkas, mutha fucka
        profanity 0.9: muthafecker, muthafeckers, muthafucka, muthafuckers, muthafuckings, muthafuckker, muthafuckkers
        profanity 0.9: muthafukka, mutherfuckers, p3nisfcker, p3nisfcukers, p3nisfvcker, p3nisfvckers
        profanity 0.9: packingfudgefucker, penisfcker, penisfuccer, penisfucker, penisfuckers, penisfvcker
        profanity 0.9: penisfvckers, pig fucker, pigfuckers, pigfukker, piggyfuck, piss off fuckhead, punk ass mofoes
        profanity 0.9: pussy fucker, scumfuck, scumfucker, shiesterfuckface, shit fucker, shitassfuckface
        profanity 0.9: shitfacefuck, shitfuckmotherfucker, shitheadfucker, slanteyeshit, spicfuck, spicshit
        profanity 0.9: swine fucker, tard asses, tongue fucking
        sexual 0.6: 2 girls 1 cup, 3jakulating, @sshole, acrotomophilia, analingus, ashole, auto erotic, autoerotic
        sexual 0.6: azzhole, babeland, baby juice, ball gag, ball gravy, ball kicking, ball licking, ball sack
        sexual 0.6: ball sucking, bangbros, bangbus, barenaked, bastardo, beastiality, beaver lips, big breasts
        sexual 0.6: big knockers, big tits, blonde on blonde action, blow your load, blue waffle, blumpkin, booty call
        sexual 0.6: brown showers, bukkake, bulldyke, bullet vibe, bunghole, buttcheeks, camel toe, camslut, camwhore
        sexual 0.6: carpetmunching, chocolate rosebuds, circlejerk, cleveland steamer, clit, clover clamps
        sexual 0.6: coprolagnia, coprophilia, cornhole, cumshot, cumshots, daterape, deep throat, deepthroat
        sexual 0.6: dendrophilia, dingleberries, dingleberry, dirty pillows, dog style, doggie style, doggiestyle
        sexual 0.6: doggystyle, dolcett, donkey punch, double penetration, dp action, dry hump, f'er, felch, fellatio
        sexual 0.6: fellator, female squirting, fick, fingerbang, fingerbanged, foot fetish, footjob, frotting
        sexual 0.6: fudge packer, gang bang, gangbang, goatcx, goatse, gokkun, golden shower, goo girl, goodpoop
        sexual 0.6: goregasm, guro, handjob, harry palms, homoerotic, hot carl, jackoffz, jail bait, jerkoff, juggs
        sexual 0.6: kinbaku, male squirting, menage a trois, muff diver, nambla, nawashi, nig nog, nimphomania
        sexual 0.6: nutsacks, nutten, nymphomania, omorashi, one cup two girls, one guy one jar, peckerhead, pikey
        sexual 0.6: pleasure chest, ponyplay, poontang, poop chute, poopchute, pthc, pu$sy, pu55y, punany, queaf
        sexual 0.6: queef, raging boner, reverse cowgirl, rimjob, rosy palm, rosy palm and her 5 sisters
        sexual 0.6: rusty trombone, shaved beaver, shaved pussy, sodomize, soppy bollucks, splooge moose, strap on
        sexual 0.6: strapon, sultry women, tea bagging, thumbzilla, titties, tribadism, tub girl, tubgirl
        sexual 0.6: two girls one cup, upskirt, urethra play, urophilia, venus mound, violet wand, vorarephilia
        sexual 0.6: voyeurweb, voyuer, worldsex, wrapping men, wrinkled starfish, yellow showers, yiffy
        sexual 0.7: 0ral sex, anal hole, anal pirate, analplug, analplugs, anilingus, anus plug, butt-munchers
        sexual 0.7: c0xux0r, clitlickers, cocsuck, cokmuncher, coksucka, creampie, crotch fiddler, cuksukka, cum goon
        sexual 0.7: cunnilingus, d0ggy style, fellatio aficionado, fothermuckers, fudgepackers, gash-stabber
        sexual 0.7: gin jockey, jackoff, jizzsacks, kiddy touch, kitty puncher, meat curtains, mof0es, mufdive
        sexual 0.7: muffdiving, muffdivings, muffindivin, muffindiving, nutsack, p3n1shead, pack my fudge
        sexual 0.7: packerfudgehead, phuq, phuqs, pole licker, pole smoker, pole sucker, polesmoker, punani, pussie
        sexual 0.7: pussless, pusslicker, pussys, pussywhipped, rim job, salad tosser, suck my d, suck off
        sexual 0.7: tossing salad, wang wrangler, willy-whacker, 乳交, 乳波臀浪, 大卵泡, 大鸡巴, 奶子, 小卵泡, 小骚货, 小鸡巴, 抽插, 插死你, 浪叫, 淫
        sexual 0.7: 淫乱, 淫妇, 淫棍, 淫水, 淫荡, 淫西, 老骚货, 肉壁, 肉棍子, 肉棒, 肉缝, 荡妇, 雞巴, 骚货, 鸡8, 鸡八, 鸡叭, 鸡吧, 鸡巴, 鸡芭
        sexual 0.8: anal hore, blumpkin boy, butthole boy, carpet muncher, carpetmuncher, chocha, cooter shooting
        sexual 0.8: cuksuker, cuunt, dirty sanchez, jizz eater, jizz licker, packing fudge, packingfudge, pillow biter
        sexual 0.8: pussy lick, pussy licker, pussy licking, slut hole, throater
        sexual 0.9: bum-driller, kid diddler, m@derfaker, mufdivin, pussylickers, snatch licker
        """#
}
