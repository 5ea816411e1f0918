"""The words of hedging: how sellers write that an account is not quite theirs, not quite now, or not quite payable.

Rules:
1. A word, or a phrase of several, belongs to one *class*; a frame is a sequence of classes (frames.py compiles them).
   So a new word is one word here, and no expression gets longer.
2. A frame is ``stated`` when the doubt is in a negation inside it ("not our typical buyer"), ``open`` when it is said
   without one ("off profile"), so that a negation before it takes it back; and ``ours`` is like ``stated``, but says what
   we don't do ("don't usually take"), so that a subject on the other side makes it theirs.
3. What says nothing by itself ("a stretch", "not sure") is about a *topic*: the nearest noun of its clause decides.
4. Of frames that begin at the same word the first one wins: prices and times stand before fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

About = Literal["fit", "timing", "price"]
"""what a hedge is about"""
Form = Literal["stated", "open", "ours"]

CLASSES: Mapping[str, str] = {
    "NOT": "not, never, hardly, scarcely, barely, cannot, no, nothing, without, zero, neither, nor, none, isn't, isnt, aren't,"
    " arent, wasn't, weren't, ain't, doesn't, doesnt, don't, dont, didn't, didnt, wouldn't, wouldnt, couldn't, couldnt,"
    " shouldn't, can't, cant, won't, hasn't, haven't, havent, hadn't, nobody, noone, no one, far from, nowhere near, anything but, by no means",
    "SOFT": "exactly, really, quite, actually, necessarily, entirely, totally, completely, fully, precisely, strictly, truly,"
    " particularly, very, always, altogether, perhaps, honestly, obviously, clearly, be, been, considered, a, an, the, one,"
    " all, every, among, within, such, as, so, that, it, they'd, super, terribly, 100%, hundred percent, anywhere near, remotely, most, able, able to, what you'd call, what we'd call, what i'd call, what we call, what you call, part of, by any means",
    "OUR": "our, my, your",
    "TYPICAL": "typical, usual, normal, ideal, standard, classic, textbook, perfect, obvious, natural, clean, great, good, right,"
    " best, greatest, strongest, cleanest, closest, easiest, core, regular, traditional, conventional, exact, straightforward, prototypical, primary, main, bread and butter,"
    " cookie cutter, dream, no brainer, natural born, by the book",
    "TARGET": "target, targets, targeted",
    "PRIZE": "bullseye, bull's eye, poster child, slam dunk, textbook case",
    "ICP": "icp, profile, ideal customer profile, fit score, firmographics",
    "PROFILE": "customer profile, sweet spot, sweetspot, wheelhouse, wheel house, strike zone,"
    " comfort zone, beaten path, beaten track, home turf, mold, mould, criteria, target market,"
    " target segment, target profile, target range, target size, target group, target list, target audience, lane, focus,"
    " persona, segment, segments, vertical, verticals, customer base, hunting ground, playbook, dna, archetype, core market, core business",
    "ACCOUNT": "buyer, buyers, client, clients, customer, customers, account, accounts, prospect, prospects, industry,"
    " industries, company, companies, business, businesses, audience, sector, sectors, logo, deal, deals, setup, market,"
    " markets, opportunity, opportunities, opp, user, users, organisation, organization, shop, team, teams, suspect, suspects,"
    " use case, use cases, crowd, lead, leads, territory",
    "KIND": "kind of, kinds of, type of, types of, sort of, sorts of, size of, class of",
    "THING": "kind, type, sort, thing, bag, cup of tea, people",
    "FIT": "fit, fits, match, matches, one of ours, fit wise",
    "FITTING": "fitting, matching, meet, meets, tick, ticks, check, checks, align, aligns, resemble,"
    " resembles, look like, looks like, belong, belongs, hit, hits",
    "BOXES": "box, boxes, bill, pattern, requirements, rule, rules, minimum, threshold, cutoff, cut off, bar",
    "TIMING": "timing, timeline, timelines, timeframe, time frame, start date, starting date, close date, closing date,"
    " go live, go live date, schedule, time of year, sales cycle, rollout date",
    "PRICE": "price, prices, pricing, budget, budgets, discount, discounts, spend, spending, cost, costs, quote, acv, tcv,"
    " funding, price point, price tag, price level, discount level, deal size, contract value, contract size, payment terms,"
    " commercials, money",
    "WE": "we, i, us",
    "USUALLY": "usually, normally, typically, generally, ordinarily, traditionally, mostly, often, ever, tend to, would, 'd, like to",
    "SELL": "sell, sold, see, pursue, pursued, chase, chased, close, closed, cover, build, built, win, won, touch, go after,"
    " went after, deal with, look for, take, take on, taken, call, bother, engage, aim for, want, like, prefer, accept, hunt, focus on, have in mind, had in mind",
    "SELL_TO": "sell to, sold to, sell into, sold into, serve, served, work with, worked with, do business with, cater to, talk to, talked to, speak to, speak with",
    "HAVE": "have, has, had, 've",
    "BIT": "bit, little, tad, touch of, slightly, too, rather, somewhat, kinda, fairly, pretty, a bit, a little, a tad,"
    " a bit of, bit of, bit of a, a bit of a, a touch",
    "BE": "is, are, was, were, look, looks, seem, seems, feel, feels, appear, appears, remain, remains, sound, sounds, 's, 're,"
    " become, becomes, prove, turn out",
    "MAY": "may, might, could, likely, probably, possibly, maybe, will, 'll, expect, expected, could well",
    "WHO": "who, whom, which, what, where, ones",
    "SURE": "sure, certain, convinced, confident, sold on, clear",
    "DOUBT": "unsure, uncertain, unconvinced, unclear, doubt, doubts, doubtful, questionable, reservations, hesitant, debatable,"
    " question mark, question marks, jury's still out, jury is still out, jury is out, jury's out, jury still out, hard to say,"
    " hard to tell, on the fence, remains to be seen, too early to say, too early to tell, wonder if, wondering if,"
    " wonder whether, wondering whether, iffy, shaky, some concerns, some concern, in two minds, of two minds,"
    " torn, mixed feelings, sceptical, skeptical, worry about, worried about, concerned about, concern about, concerns about",
    "STRETCH": "stretch",
    "WEAK": "looser, weaker, poorer, low, wrong, near, lukewarm, loose, partial, weak, poor, imperfect, soft, marginal, mediocre, rough, borderline, mixed, thin, wobbly, fuzzy,"
    " awkward, tenuous, so so, ok ish, okay ish, suboptimal, sub optimal, less than ideal, less than perfect",
    "TROUBLE": "tight, limited, high, steep, problem, issue, concern, blocker, tricky, worry, tbd, unconfirmed, unapproved,"
    " obstacle, off, difficult, open, aggressive, ambitious, fluid, too much, up in the air, risk, challenge, optimistic, hard, unrealistic, tough, delicate, sensitive",
    "OUTSIDE": "outside, outside of, beyond, off of, out of, left of, adjacent to, away from, removed from, at odds with,"
    " next to, on the edge of, at the edge of, on the edges of, on the fringe of, on the fringes of, on the margin of,"
    " on the border of, on the periphery of, edge of, fringe of, non, adjacent, long way from, way off, departure from, far cry from, deviation from, step away from, miles from, miles away from, semi",
    "COMPARED": "smaller, bigger, larger, tinier, leaner, younger, less mature, different, below, under, above, unlike, short of, more, less, fewer, lower, higher, further",
    "THAN": "than, from, to, of, in, on, for, with, at, most of, many of, many, those, other, some",
    "SIZED": "small, big, large, tiny, early stage, immature, niche, odd, young, unfamiliar, unknown",
    "ATYPICAL": "unusual, unlikely, exotic, strange, weird, quirky, atypical, untypical, nonstandard, non standard, unconventional, unorthodox, uncommon, non traditional, non core",
    "FOR_US": "for us, for our",
    "ODD": "edge case, corner case, fringe case, borderline icp, off profile, off icp, off persona, off segment, non icp,"
    " odd one, odd one out, odd duck, odd fit, oddball, outlier, square peg, misfit, if we squint, if you squint, grain of salt,"
    " pinch of salt, new territory, unknown territory, unfamiliar territory, uncharted territory, new vertical for us,"
    " new industry for us, new segment for us, out of profile, wildcard, wild card, wrong for us, icp ish, icp adjacent, grey area, gray area",
    "FIRST": "first",
    "BEFORE": "before",
    "PAY": "pay",
    "BEND": "bend, bending, stretching, relax, relaxing, loosen, loosening",
    "EXCEPTION": "making an exception, make an exception, made an exception, exception to the rule, exception to our rule",
    "REJECT": "disqualified, disqualify, dq'd, screened out, pass, passed, decline, skip, avoid, steer clear, stay away, turn down, say no, let this one go, let it go, let this go, walk away",
    "SHOULD": "should, arguably",
    "LOOSELY": "half of, half the, loosely, technically, marginally, only partly, only partially, partly, partially",
    "QUALIFY": "qualify, qualifies, qualified, qualification",
    "SLIP": "slip, slips, slide, drift, drag, stall, pushed, delayed, postponed, moved, move, push, take longer",
    "EARLY": "early, soon, premature",
    "READY": "ready yet, ready until, ready to buy, ready to start, ready before",
    "FOR_THEM": "for them, to start, to commit, to buy, for this team",
    "NEXT": "next",
    "PERIOD": "year, quarter, fiscal, half",
    "SURPRISED": "surprised if",
    "CLOSES": "closes, signs, starts, lands, land, sign, start, begin, signing, starting",
    "WHEN": "when, ready, in time, before summer, before autumn, before spring, before winter, before fall, before year, by january,"
    " by february, by march, by april, by may, by june, by july, by august, by september, by october, by november, by december,"
    " in january, year end, this quarter, this month, this year",
    "LATER": "next quarter, next year, next month, next spring, next summer, next autumn, next winter",
    "TIMING_RISK": "timing risk, slip risk, wrong time, bad time",
    "CONFIRMED": "confirmed, approved, secured, there, final, signed off, enough, finalised, finalized, fixed",
    "AFFORD": "afford, stomach",
    "NEED": "need, needs, require",
    "TIGHT_ON": "tight on, thin on, short on, light on, low on",
    "BALK": "balk at, baulk at, balked at, baulked at, flinched at, winced at, choked on, choke at, choke on, flinch at, wince at",
    "STICKER": "sticker shock, more than they can, more than they want, out of their price range, beyond their budget, over their budget, above their budget,"
    " out of their budget",
    "BUT": "but, though, although, however, yet, still, anyway, because",
    "IF": "if, unless",
    "THEY": "they, he, she, champion, cfo, ceo, coo, cto, cio, ciso, vp, director, procurement, legal, contact, founder,"
    " owner, boss, manager, sponsor, head, admin, lead engineer",
    "THEIR": "their, his, her",
    "SAY": "said, says, say, saying, told, tells, mention, mentions, mentioned, claim, claims, claimed, think, thinks, thought,"
    " felt, believe, believes, believed, worried, worries, worry that, argue, argued, wrote, writes, complained, stated,"
    " asked, asks, considers, calls, called, objected, concerned, heard, according to, per their, in their words, feels that,"
    " feel that",
    "RIVAL": "current tool, current vendor, current system, current solution, current crm, current provider, current setup,"
    " existing tool, existing vendor, existing system, existing solution, old tool, old vendor, old system, previous tool,"
    " previous vendor, previous system, other tool, other vendor, other vendors, incumbent, incumbent tool, competitor,"
    " competitors, last vendor, last tool",
}  # fmt: skip

FRAMES: Sequence[tuple[About | Literal["topic"], Form, str]] = [
    ("price", "stated", "NOT SOFT|OUR{0,4} TYPICAL any{0,2} PRICE"),
    ("price", "stated", "NOT SOFT{0,2} AFFORD"),
    ("price", "open", "PRICE any{0,2} BE any{0,3} WEAK|TROUBLE|DOUBT|STRETCH"),
    ("price", "open", "PRICE MAY any{0,2} WEAK|TROUBLE|DOUBT|STRETCH"),
    ("price", "stated", "PRICE BE{0,1} NOT any{0,2} TYPICAL|SURE|CONFIRMED"),
    ("price", "open", "COMPARED SOFT{0,1} PRICE THAN WE USUALLY{0,2} SELL"),
    ("price", "open", "TIGHT_ON|TROUBLE PRICE"),
    ("price", "open", "MAY any{0,2} NEED any{0,3} PRICE"),
    ("price", "open", "BALK"),
    ("price", "open", "MAY NOT SOFT{0,2} PAY"),
    ("price", "open", "COMPARED THAN{0,2} OUR TYPICAL{0,1} PRICE"),
    ("price", "open", "STICKER"),
    ("timing", "stated", "NOT SOFT|OUR{0,4} TYPICAL any{0,2} TIMING"),
    ("timing", "stated", "NOT SOFT{0,2} READY"),
    ("timing", "open", "TIMING any{0,2} BE any{0,3} WEAK|TROUBLE|DOUBT|STRETCH"),
    ("timing", "open", "TIMING MAY any{0,2} WEAK|TROUBLE|DOUBT|STRETCH|SLIP"),
    ("timing", "stated", "TIMING BE{0,1} NOT any{0,2} TYPICAL|SURE|CONFIRMED"),
    ("timing", "open", "MAY any{0,2} SLIP"),
    ("timing", "open", "MAY any{0,2} EARLY FOR_THEM"),
    ("timing", "open", "BIT EARLY"),
    ("timing", "open", "MAY NOT SOFT{0,3} CLOSES"),
    ("timing", "open", "MAY SOFT{0,2} LATER"),
    ("timing", "open", "MAY SOFT{0,2} NEXT PERIOD"),
    ("timing", "open", "SURPRISED any{0,3} SELL|CLOSES"),
    ("timing", "open", "TIMING_RISK"),
    ("fit", "stated", "NOT SOFT|OUR|USUALLY{0,4} TYPICAL|TARGET any{0,2} FIT|FITTING|ICP|PROFILE|ACCOUNT|THING|KIND"),
    ("fit", "stated", "NOT SOFT{0,3} THAN SOFT|OUR|TYPICAL{1,3} ICP|PROFILE|ACCOUNT"),
    ("fit", "stated", "NOT SOFT{0,2} OUR TYPICAL|TARGET{0,1} THING|ICP|PROFILE|TYPICAL|TARGET"),
    ("fit", "stated", "NOT SOFT|TYPICAL{0,3} KIND{0,1} ACCOUNT|ICP|PROFILE|THING{0,1} WHO|SOFT|ICP|PROFILE|ACCOUNT|THING WE USUALLY{0,2} SELL|SELL_TO|TARGET"),
    ("fit", "stated", "WE USUALLY|SOFT{0,1} NOT USUALLY{1,2} SELL|SELL_TO|TARGET"),
    ("fit", "stated", "WE HAVE{0,1} NOT SELL_TO|TARGET"),
    ("fit", "ours", "NOT USUALLY SELL|SELL_TO"),
    ("fit", "ours", "USUALLY NOT USUALLY SELL|SELL_TO"),
    ("fit", "stated", "NOT SOFT|OUR{0,3} SELL{0,1} other{0,1} ICP"),
    ("fit", "stated", "FIT|ICP|PROFILE BE{0,1} NOT SOFT{0,2} TYPICAL|SURE|CONFIRMED"),
    ("fit", "stated", "NOT|LOOSELY SOFT{0,2} FIT|FITTING any{0,2} SOFT|OUR{0,1} TYPICAL{0,1} ICP|PROFILE|BOXES|ACCOUNT"),
    ("fit", "stated", "NOT SOFT{0,2} FIT|FITTING FOR_US"),
    ("fit", "open", "OUTSIDE SOFT|OUR{1,2} TYPICAL|TARGET{0,1} ICP|PROFILE|TARGET|TYPICAL"),
    ("fit", "open", "OUTSIDE ICP|PROFILE"),
    ("fit", "open", "OUTSIDE|COMPARED THAN{0,2} WHO|SOFT{1,2} ACCOUNT|ICP|PROFILE{0,1} WE USUALLY{0,2} SELL|SELL_TO|TARGET"),
    ("fit", "open", "COMPARED THAN{0,3} OUR TYPICAL|TARGET|THAN{0,2} ACCOUNT|ICP|PROFILE|TARGET"),
    ("fit", "open", "COMPARED any{0,2} THAN WE USUALLY{0,2} SELL|SELL_TO|TARGET"),
    ("fit", "open", "COMPARED THAN{0,2} SOFT{0,1} any{0,1} ACCOUNT|any WE USUALLY{0,2} SELL|SELL_TO|TARGET"),
    ("fit", "open", "BIT{0,2} SIZED|ATYPICAL any{0,1} FOR_US"),
    ("fit", "open", "ATYPICAL|SIZED any{0,1} FIT|FITTING|ICP|PROFILE FOR_US{0,1}"),
    ("fit", "open", "ATYPICAL any{0,1} ACCOUNT"),
    ("fit", "open", "WEAK|DOUBT|STRETCH FIT|ICP|PROFILE"),
    ("fit", "open", "DOUBT|STRETCH ACCOUNT"),
    ("fit", "open", "FIT|ICP any{0,2} BE any{0,2} WEAK|DOUBT|STRETCH|TROUBLE"),
    ("fit", "stated", "NOT SOFT{0,4} PRIZE"),
    ("fit", "stated", "NOT SOFT{1,3} FIT"),
    ("fit", "ours", "NOT SELL|SELL_TO any{0,4} BEFORE"),
    ("fit", "open", "FIT|ICP colon WEAK|DOUBT|ATYPICAL"),
    ("fit", "open", "FIT|ICP|PROFILE any{0,1} BE any{0,3} ATYPICAL"),
    ("fit", "open", "FIRST FOR_US"),
    ("fit", "open", "LOOSELY SOFT{0,2} any{0,1} BOXES|ICP|PROFILE"),
    ("fit", "open", "ODD"),
    ("fit", "ours", "EXCEPTION"),
    ("fit", "open", "BEND SOFT{0,1} OUR{0,1} any{0,1} BOXES|ICP|PROFILE"),
    ("fit", "open", "OUR FIRST TYPICAL{0,1} ACCOUNT THAN"),
    ("fit", "open", "COMPARED THAN{0,2} OUR any{0,1} BOXES"),
    ("fit", "open", "SHOULD|USUALLY any{0,2} REJECT"),
    ("fit", "open", "LOOSELY QUALIFY|FITTING"),
    ("fit", "open", "QUALIFY LOOSELY"),
    ("topic", "stated", "NOT SOFT{0,3} SURE"),
    ("topic", "open", "DOUBT"),
    ("topic", "open", "BIT{0,1} STRETCH"),
]  # fmt: skip

TOPICS: Mapping[About, Sequence[str]] = {
    "price": ["PRICE", "AFFORD"],
    "timing": ["TIMING", "WHEN", "READY", "LATER", "NEXT PERIOD", "SLIP", "CLOSES"],
    "fit": [
        "FIT|FITTING",
        "ICP|PROFILE",
        "OUR TARGET|ACCOUNT|THING|KIND",
        "TYPICAL KIND|THING|ACCOUNT",
        "QUALIFY",
        "FOR_US",
    ],
}
"""What a hedge about nothing in particular is about."""

NEGATED_BEFORE = "NOT any{0,4}"
"""What takes an ``open`` hedge back when it stands right before it."""

TAKEN_BACK_BEFORE: Sequence[str] = [
    "NOT SAY any{0,3}",
    "NOT DOUBT any{0,3}",
    "NOT SOFT{0,2} any{0,1} SURE any{0,3}",
]
"""What takes a ``stated`` hedge back: the negation of a negation."""

TOLD_BEFORE = "THEY|ACCOUNT any{0,3} SAY"
"""Somebody on the other side says what follows, up to the next turn of the sentence."""

TOLD_AFTER: Sequence[str] = ["SAY SOFT{0,1} THEY|ACCOUNT", "THEY|ACCOUNT SAY"]
"""The same, after what they said."""

THEIR_DOUBT = "THEY|ACCOUNT BE{0,1} SOFT{0,2}"
"""Right before a topic hedge: it is their doubt. It is no hedge about fit, but as good a one about timing or price."""
